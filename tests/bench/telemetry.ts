import { median, type BenchResult } from './report.ts';
import { compareSides, middle, type ComparedSides } from './telemetry/requests.ts';
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
  const ratio = pairedRatio(compared, 'ours');
  const { ours, noOps } = compared.rounds;
  return {
    bench: 'telemetry',
    unit: 'requests/s',
    ours: middle(ours, ({ perSecond }) => perSecond),
    baseline: middle(noOps, ({ perSecond }) => perSecond),
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
