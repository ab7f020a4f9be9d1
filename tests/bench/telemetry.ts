import { median, type BenchResult } from './report.ts';
import { compareSides, type ComparedSides, type PairedRound, type Round, type Rounds } from './telemetry/requests.ts';
import { measureScrapes, type Scrape, type ScrapedCore } from './telemetry/scrapes.ts';

const ratioMin = 0.9;
const scrapeMaxMs = 50;
const blockedMaxMs = 25;

/**
 * What telemetry costs a request, against no-ops in place of it: with traces' ids alone, with spans in memory, and exporting
 * every span. And what a scrape of ten thousand series takes, and how long it holds up everything else.
 */
export async function benchTelemetry(): Promise<BenchResult> {
  const scraped = await measureScrapes();
  const compared = await compareSides();
  const apiOnly = compared.starts.apiOnly.flat();
  const { mean: ratio } = meanOf(compared.starts.apiOnly.map(pairedRatio));
  return {
    bench: 'telemetry',
    unit: 'requests/s of a processor',
    ours: median(apiOnly.map(({ side }) => perCpuSecond(side))),
    baseline: median(apiOnly.map(({ baseline }) => perCpuSecond(baseline))),
    ratio,
    figures: { ...figuresOf(compared), ...scrapeFigures(scraped) },
    verdicts: [
      {
        what: `requests with telemetry and traces' ids, share of those without: at least ${ratioMin}`,
        value: ratio,
        holds: ratio >= ratioMin,
      },
      ...scrapeVerdicts(scraped),
    ],
  };
}

/** What a side would answer with a processor to itself. At once, those who ask give both sides as much to do. */
const perCpuSecond = ({ cpuUs }: Round): number => 1e6 / cpuUs;

/** Of each round with the one at the same time: the machine's own speed changes from one second to the next. */
function pairedRatio(rounds: Rounds): number {
  return median(rounds.map(({ side, baseline }) => perCpuSecond(side) / perCpuSecond(baseline)));
}

function figuresOf({ starts, ...exported }: ComparedSides): BenchResult['figures'] {
  return {
    ...costOf('api_only_', starts.apiOnly),
    ...costOf('in_memory_', starts.inMemory),
    ...costOf('exporting_', starts.exporting),
    exporting_received_share: exported.receivedShare,
    exporting_spans_per_request: exported.spansPerRequest,
    exporting_bytes_per_request: exported.exportedBytesPerRequest,
  };
}

function costOf(prefix: string, starts: readonly Rounds[]): BenchResult['figures'] {
  const middle = (of: 'p99Ms' | 'cpuUs', which: keyof PairedRound): number =>
    median(starts.flat().map((round) => round[which][of]));
  const { mean, standardError } = meanOf(starts.map(pairedRatio));
  return {
    [`${prefix}ratio`]: mean,
    [`${prefix}ratio_standard_error`]: standardError,
    [`${prefix}p99_ms`]: middle('p99Ms', 'side'),
    [`${prefix}baseline_p99_ms`]: middle('p99Ms', 'baseline'),
    [`${prefix}cpu_us_per_request`]: middle('cpuUs', 'side'),
    [`${prefix}baseline_cpu_us_per_request`]: middle('cpuUs', 'baseline'),
  };
}

function meanOf(values: readonly number[]): { readonly mean: number; readonly standardError: number } {
  const { length } = values;
  const mean = values.reduce((sum, value) => sum + value, 0) / length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (length - 1);
  return { mean, standardError: Math.sqrt(variance / length) };
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
