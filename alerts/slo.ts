import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert, AlertCases, Samples } from './alert.ts';
import { objectives, type budgetWindows, type Objective } from './recordings.ts';

const requests = 'http_server_request_duration_seconds_count';
const route = 'job="returnit",http_route="/orders",plugin="orders"';

interface Burn {
  readonly name: string;
  readonly long: (typeof budgetWindows)[number];
  readonly short: (typeof budgetWindows)[number];
  /** So many times faster than would use the budget up in 30 days. */
  readonly factor: number;
  readonly for: string;
  readonly severity: 'critical' | 'warning';
  readonly pace: string;
}

/** Google's windows: 2 % of the budget in an hour, 5 % in six, 10 % in a day, 10 % in three. */
const burns: readonly Burn[] = [
  { name: 'Fast', long: '1h', short: '5m', factor: 14.4, for: '2m', severity: 'critical', pace: 'in two days' },
  { name: 'Soon', long: '6h', short: '30m', factor: 6, for: '15m', severity: 'critical', pace: 'in five days' },
  { name: 'Slow', long: '1d', short: '2h', factor: 3, for: '1h', severity: 'warning', pace: 'in ten days' },
  { name: 'Whole', long: '3d', short: '6h', factor: 1, for: '3h', severity: 'warning', pace: 'before it is renewed' },
];

const titles: Readonly<Record<Objective, string>> = {
  availability: 'Requests fail so often that the error budget is used up',
  promptness: 'Requests are slow so often that the error budget is used up',
};

const minutesOf: Readonly<Record<(typeof budgetWindows)[number], number>> = {
  '5m': 5,
  '30m': 30,
  '1h': 60,
  '2h': 120,
  '6h': 360,
  '1d': 1440,
  '3d': 4320,
};

/** In the cases, which last for days; samples come more often. */
export const evaluationMinutes = 10;
const toEvaluation = (minutes: number): number => Math.ceil(minutes / evaluationMinutes) * evaluationMinutes;
const stepMinutes = 2;
const okPerStep = 100_000;
/** Of the limit: nearly too many. */
const nearly = 0.98;
/** In the long window at most: too few to be told of. */
const fewFailures = t.budgetSamples.value - 1;

function toBurnAlert(slo: Objective, burn: Burn): Alert {
  const { long, short, factor, pace } = burn;
  const limit = Number((factor * (1 - objectives[slo].objective)).toFixed(6));
  const description = (failed: string): string =>
    `${slo}: at the pace of the last ${long} the error budget of 30 days is gone ${pace}; ${failed} failed.`;
  return {
    runbook: 'ErrorBudgetBurns',
    name: `ErrorBudget${slo === 'availability' ? '' : 'Promptness'}Burns${burn.name}`,
    expr: `slo:sli_error:ratio_rate${long}{slo="${slo}"} > ${limit}
and slo:sli_error:ratio_rate${short}{slo="${slo}"} > ${limit}
and slo:sli_error:increase${long}{slo="${slo}"} >= ${t.budgetSamples.value}`,
    for: burn.for,
    severity: burn.severity,
    type: 'symptom',
    plugin: 'core',
    summary: `${titles[slo]} ${pace}`,
    description: description('{{ $value | humanizePercentage }}'),
    cases: toCases(slo, burn, { limit, description }),
  };
}

interface Wording {
  readonly limit: number;
  readonly description: (failed: string) => string;
}

function toCases(slo: Objective, burn: Burn, { limit, description }: Wording): AlertCases {
  const [long, short] = [minutesOf[burn.long], minutesOf[burn.short]];
  const firesAt = toEvaluation(long + short + 200);
  /** Samples until the fault ends, and in all. */
  const turn = Math.ceil(firesAt / stepMinutes) + 5;
  // The long window still has the most of it.
  const resolvedAt = toEvaluation(turn * stepMinutes + short + 5);
  const all = Math.ceil(resolvedAt / stepMinutes) + 5;
  const series = (failed: string, ok: string): Samples => ({
    ...(slo === 'availability'
      ? {
          [`returnit_http_failed_requests_total{${route}}`]: failed,
          [`${requests}{${route},http_response_status_code="500"}`]: failed,
        }
      : { [`returnit_http_slow_requests_total{${route}}`]: failed }),
    [`${requests}{${route},http_response_status_code="200"}`]: ok,
  });
  const well = `0+${okPerStep}x${all}`;
  const broken = Math.ceil(2 * limit * okPerStep);
  const share = slo === 'availability' ? broken / (okPerStep + broken) : broken / okPerStep;
  const failed = `${Number((100 * share).toPrecision(4))}%`;
  return {
    step: `${stepMinutes}m`,
    fires: {
      samples: series(`0+${broken}x${all}`, well),
      at: `${firesAt}m`,
      alerts: [{ labels: { job: 'returnit', slo }, description: description(failed) }],
    },
    quiet: fewCases(series, { long, minutes: Number.parseInt(burn.for, 10) * (burn.for.endsWith('h') ? 60 : 1) }),
    boundary: { samples: series(`0+${Math.floor(nearly * limit * okPerStep)}x${all}`, well), at: `${firesAt}m` },
    resolves: {
      samples: series(`0+${broken}x${turn} ${broken * turn}x${all - turn}`, well),
      firesAt: `${firesAt}m`,
      at: `${resolvedAt}m`,
    },
  };
}

/** Half of what is asked fails, or all is slow, and it is little: few in the long window, one in the short for long enough. */
function fewCases(
  series: (failed: string, ok: string) => Samples,
  { long, minutes }: { readonly long: number; readonly minutes: number },
): AlertCases['quiet'] {
  const gap = toEvaluation(long / fewFailures);
  const count = 14;
  const failed = Array.from({ length: count }, (_, index) => `${index}x${gap / stepMinutes - 1}`).join(' ');
  return { samples: series(failed, failed), at: `${gap * (count - 2) + toEvaluation(minutes)}m` };
}

/** By objective. */
export const slo = {
  availability: burns.map((burn) => toBurnAlert('availability', burn)),
  promptness: burns.map((burn) => toBurnAlert('promptness', burn)),
} satisfies Readonly<Record<Objective, readonly Alert[]>>;
