import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { killCores, startCore, type CoreProcess } from '../../support/core-process.ts';
import { copyProject } from '../../support/project-copy.ts';
import { until } from '../../support/until.ts';
import type { LoopDelay } from './loop-delay.ts';
import { seriesOf } from './read-telemetry.ts';
import { createScraper } from './scraper.ts';

export interface Scrape {
  /** From the request to the last byte of the answer. */
  readonly tookMs: number;
  /** The longest that the core's event loop stood still meanwhile. */
  readonly blockedMs: number;
  readonly cpuMs: number;
}

export interface ScrapedCore {
  readonly series: number;
  readonly bytes: number;
  /** One after another, from the core's first on; Prometheus asks for the second. */
  readonly text: readonly Scrape[];
  readonly openMetrics: readonly Scrape[];
  /** Without a scrape: what the machine's other work does to the figures. */
  readonly idle: readonly LoopDelay[];
}

const seriesMin = 10_000;
/** The default of METRIC_LABEL_SETS_MAX. */
const labelSets = 500;
/** Of which one plugin has an eighth: enough for all that it records. */
const seriesMax = 8 * (seriesMin + 2000);
const scrapes = 50;
const pauseMs = 200;
const accepted = {
  text: 'text/plain;version=0.0.4',
  openMetrics: 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3',
};
const plugin = path.resolve(import.meta.dirname, '../plugins/series');
const loopDelay = pathToFileURL(path.join(import.meta.dirname, 'loop-delay.ts')).href;

/** Scrapes of a core with ten thousand series, which it has by metrics of a plugin that are full to the limit. */
export async function measureScrapes(): Promise<ScrapedCore> {
  const project = await copyProject({ external: plugin, withCore: true });
  const dataDir = await mkdtemp(path.join(tmpdir(), 'returnit-bench-'));
  try {
    const core = await startCore({
      dataDir,
      projectDir: project.dir,
      nodeFlags: ['--import', loopDelay],
      environment: { METRIC_SERIES_MAX: String(seriesMax) },
      args: ['--plugins', 'series', '--plugin-path', plugin],
    });
    const filled = await fill(core);
    const delayUrl = delayUrlOf(core);
    const text = await scrapeAgain(core, delayUrl, accepted.text);
    const openMetrics = await scrapeAgain(core, delayUrl, accepted.openMetrics);
    const idle: LoopDelay[] = [];
    for (let pause = 0; pause < scrapes; pause += 1) idle.push(await delayDuring(delayUrl, () => wait(pauseMs / 4)));
    await core.end('SIGTERM');
    return { ...filled, text, openMetrics, idle };
  } finally {
    await killCores();
    await rm(dataDir, { recursive: true, force: true });
    await project.remove();
  }
}

async function fill(core: CoreProcess): Promise<Pick<ScrapedCore, 'series' | 'bytes'>> {
  const ops = await core.as('ops', 'bench');
  await ops.ok('POST', '/series', { labelSets });
  return until(`there are ${seriesMin} series`, async () => {
    const body = await (await fetch(`${core.addresses.ops}/metrics`)).text();
    const series = seriesOf(body).length;
    return series >= seriesMin && { series, bytes: Buffer.byteLength(body) };
  });
}

function delayUrlOf(core: CoreProcess): string {
  const port = /loop delay: (\d+)/.exec(core.stderr())?.[1];
  if (port === undefined) throw new Error(`Cannot measure the event loop: the core says "${core.stderr()}"`);
  return `http://127.0.0.1:${port}`;
}

async function scrapeAgain(core: CoreProcess, delayUrl: string, accept: string): Promise<readonly Scrape[]> {
  const scraper = createScraper(new URL(`${core.addresses.ops}/metrics`));
  const taken: Scrape[] = [];
  for (let scrape = 0; scrape < scrapes; scrape += 1) {
    let tookMs = 0;
    const { maxMs, cpuMs } = await delayDuring(delayUrl, async () => {
      tookMs = await scraper.scrape(accept);
    });
    taken.push({ tookMs, blockedMs: maxMs, cpuMs });
    await wait(pauseMs);
  }
  return taken;
}

async function delayDuring(url: string, work: () => Promise<void>): Promise<LoopDelay> {
  // What came before is forgotten.
  await (await fetch(url)).bytes();
  await work();
  return (await (await fetch(url)).json()) as LoopDelay;
}
