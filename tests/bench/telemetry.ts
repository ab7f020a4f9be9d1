import { median, type BenchResult } from './report.ts';
import { compareSides, type ComparedSides, type PairedRound, type Round } from './telemetry/requests.ts';
import { measureScrapes, type Scrape, type ScrapedCore } from './telemetry/scrapes.ts';

const ratioMin = 0.9;
const scrapeMaxMs = 50;
const blockedMaxMs = 25;

/**
 * What telemetry costs a request: the platform as it is, with no-ops in place of its telemetry (the baseline), and exporting
 * every span. And what a scrape of ten thousand series takes, and how long it holds up everything else.
 */
export async function benchTelemetry(): Promise<BenchResult> {
  const scraped = await measureScrapes();
  const compared = await compareSides();
  const { ours } = compared.rounds;
  const ratio = pairedRatio(ours, perSecond);
  return {
    bench: 'telemetry',
    unit: 'requests/s',
    ours: median(ours.map(({ side }) => side.perSecond)),
    baseline: median(ours.map(({ baseline }) => baseline.perSecond)),
    ratio,
    figures: { ...figuresOf(compared), ...scrapeFigures(scraped) },
    verdicts: [
      {
        what: `requests with telemetry, share of those without: at least ${ratioMin}`,
        value: ratio,
        holds: ratio >= ratioMin,
      },
      ...scrapeVerdicts(scraped),
    ],
  };
}

const perSecond = (round: Round): number => round.perSecond;
/** Of the processor, which is the more the better, as requests are. */
const perCpuSecond = ({ cpuUs }: Round): number => 1e6 / cpuUs;

/** Of each round with the one at the same time: the machine's own speed changes from one second to the next. */
function pairedRatio(rounds: readonly PairedRound[], of: (round: Round) => number): number {
  return median(rounds.map(({ side, baseline }) => of(side) / of(baseline)));
}

function figuresOf({ rounds, ...exported }: ComparedSides): BenchResult['figures'] {
  const { ours, exporting } = rounds;
  const middle = (of: 'p99Ms' | 'cpuUs', pairs: readonly PairedRound[], which: keyof PairedRound = 'side'): number =>
    median(pairs.map((pair) => pair[which][of]));
  return {
    p99_ms: middle('p99Ms', ours),
    baseline_p99_ms: middle('p99Ms', ours, 'baseline'),
    cpu_us_per_request: middle('cpuUs', ours),
    baseline_cpu_us_per_request: middle('cpuUs', ours, 'baseline'),
    cpu_ratio: pairedRatio(ours, perCpuSecond),
    exporting_requests_per_s: median(exporting.map(({ side }) => side.perSecond)),
    exporting_ratio: pairedRatio(exporting, perSecond),
    exporting_p99_ms: middle('p99Ms', exporting),
    exporting_cpu_us_per_request: middle('cpuUs', exporting),
    exporting_cpu_ratio: pairedRatio(exporting, perCpuSecond),
    exporting_received_share: exported.receivedShare,
    exporting_spans_per_request: exported.spansPerRequest,
    exporting_bytes_per_request: exported.exportedBytesPerRequest,
  };
}

function scrapeFigures({ series, bytes, text, openMetrics, idle }: ScrapedCore): BenchResult['figures'] {
  const [first] = text;
  const of = (name: string, scrapes: readonly Scrape[]): Record<string, number> => ({
    [`${name}_ms`]: median(scrapes.map(({ tookMs }) => tookMs)),
    [`${name}_max_ms`]: Math.max(...scrapes.map(({ tookMs }) => tookMs)),
    [`${name}_blocked_ms`]: median(scrapes.map(({ blockedMs }) => blockedMs)),
    [`${name}_blocked_max_ms`]: Math.max(...scrapes.map(({ blockedMs }) => blockedMs)),
    [`${name}_cpu_ms`]: median(scrapes.map(({ cpuMs }) => cpuMs)),
  });
  return {
    scraped_series: series,
    scraped_bytes: bytes,
    ...of('scrape_text', text),
    ...of('scrape_openmetrics', openMetrics),
    scrape_first_ms: first?.tookMs ?? Number.NaN,
    scrape_first_blocked_ms: first?.blockedMs ?? Number.NaN,
    no_scrape_blocked_max_ms: Math.max(...idle.map(({ maxMs }) => maxMs)),
  };
}

/** Of the slowest scrape, whatever else the machine did. */
function scrapeVerdicts({ text, openMetrics }: ScrapedCore): NonNullable<BenchResult['verdicts']> {
  const all = [...text, ...openMetrics];
  const tookMs = Math.max(...all.map((scrape) => scrape.tookMs));
  const blockedMs = Math.max(...all.map((scrape) => scrape.blockedMs));
  return [
    { what: `slowest scrape under ${scrapeMaxMs} ms`, value: tookMs, holds: tookMs < scrapeMaxMs },
    { what: `event loop blocked under ${blockedMaxMs} ms`, value: blockedMs, holds: blockedMs < blockedMaxMs },
  ];
}
