import { median, type BenchResult } from './report.ts';
import { compareSides, middle, type ComparedSides } from './telemetry/requests.ts';

const ratioMin = 0.9;

/** What telemetry costs a request: the platform as it is, with no-ops in its place, and exporting every span. */
export async function benchTelemetry(): Promise<BenchResult> {
  const compared = await compareSides();
  const ratio = pairedRatio(compared, 'ours');
  const { ours, noOps } = compared.rounds;
  return {
    bench: 'telemetry',
    unit: 'requests/s',
    ours: middle(ours, ({ perSecond }) => perSecond),
    baseline: middle(noOps, ({ perSecond }) => perSecond),
    ratio,
    figures: figuresOf(compared),
    verdicts: [{ what: `ratio at least ${ratioMin}`, value: ratio, holds: ratio >= ratioMin }],
  };
}

/** Of each round with the one beside it: the machine's own speed changes from one second to the next. */
function pairedRatio({ rounds }: ComparedSides, side: 'ours' | 'exporting'): number {
  return median(rounds[side].map(({ perSecond }, round) => perSecond / (rounds.noOps[round]?.perSecond ?? Number.NaN)));
}

function figuresOf(compared: ComparedSides): BenchResult['figures'] {
  const { ours, noOps, exporting } = compared.rounds;
  const cpu = (side: typeof ours): number => middle(side, ({ cpuUs }) => cpuUs);
  return {
    p99_ms: middle(ours, ({ p99Ms }) => p99Ms),
    baseline_p99_ms: middle(noOps, ({ p99Ms }) => p99Ms),
    cpu_us_per_request: cpu(ours),
    baseline_cpu_us_per_request: cpu(noOps),
    cpu_ratio: cpu(noOps) / cpu(ours),
    exporting_requests_per_s: middle(exporting, ({ perSecond }) => perSecond),
    exporting_ratio: pairedRatio(compared, 'exporting'),
    exporting_p99_ms: middle(exporting, ({ p99Ms }) => p99Ms),
    exporting_cpu_us_per_request: cpu(exporting),
    exporting_cpu_ratio: cpu(noOps) / cpu(exporting),
    exporting_received_share: compared.receivedShare,
    exporting_spans_per_request: compared.spansPerRequest,
    exporting_bytes_per_request: compared.exportedBytesPerRequest,
  };
}
