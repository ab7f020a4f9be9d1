import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { listDeaths } from '#core/plugin-host/deaths.ts';
import type { Api } from '../support/api-client.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { bookingAt, placeOf } from '../support/journey.ts';
import { copyProject } from '../support/project-copy.ts';
import { median, percentile, type BenchResult } from './report.ts';
import { startSteadyLoad, type Sample, type SteadyLoad } from './steady-load.ts';

/** Of A: what a quiet machine answers with a third of its two cores. */
const load = { perSecond: 200, connections: 16 };
const warmUpMs = 15_000;
const rounds = 7;
/** After a restart, until the window without a death begins. */
const settleMs = 1500;
const controlMs = 3000;
const pollMs = 50;
const reachMs = 60_000;

interface Way {
  readonly name: string;
  /** One of which its last death must be. */
  readonly reasons: readonly string[];
  die(core: Faulty): Promise<void>;
}

interface Faulty {
  readonly core: CoreProcess;
  readonly dataDir: string;
  readonly ops: Api;
}

const byItself =
  (way: string) =>
  async ({ ops }: Faulty): Promise<void> => {
    await ops.request('POST', '/faulty/die', { body: { id: 'x', way } });
  };

const ways: readonly Way[] = [
  { name: 'crash', reasons: ['crash'], die: byItself('crash') },
  { name: 'loop', reasons: ['loop'], die: byItself('loop') },
  { name: 'heap', reasons: ['oom-heap', 'oom-fatal'], die: byItself('heap') },
  { name: 'heartbeat', reasons: ['unresponsive'], die: freeze },
  { name: 'protocol', reasons: ['protocol'], die: byItself('protocol') },
  { name: 'boot', reasons: ['boot-failure'], die: byItself('boot') },
];

/** A process that is stopped has no supervisor that could report. */
async function freeze({ ops }: Faulty): Promise<void> {
  const { pid } = await ops.ok<{ pid: number }>('GET', '/faulty/process');
  process.kill(pid, 'SIGSTOP');
}

/** Latency of plugin A's route while plugin B dies and comes back, against as long a time without a death beside it. */
export async function benchIsolation(): Promise<BenchResult> {
  const project = await copyProject({ fixtures: ['faulty'], withCore: true });
  const dataDir = await mkdtemp(path.join(tmpdir(), 'returnit-bench-'));
  try {
    const core = await startCore({
      dataDir,
      projectDir: project.dir,
      args: ['--plugins', 'orders,faulty'],
      environment: {
        // A process that lived for a second starts the back-off anew, so every round has the same delays.
        PLUGIN_QUARANTINE_WINDOW_MS: '1000',
        PLUGIN_QUARANTINE_DEATHS: '100',
        PLUGIN_DEATHS_KEPT: '1000',
      },
    });
    const result = await measure(core, dataDir);
    await core.end('SIGTERM');
    return result;
  } finally {
    await killCores();
    await rm(dataDir, { recursive: true, force: true });
    await project.remove();
  }
}

interface Round {
  readonly quiet: readonly Sample[];
  readonly dying: readonly Sample[];
  readonly seconds: number;
}

async function measure(core: CoreProcess, dataDir: string): Promise<BenchResult> {
  const customer = await core.as('customer', 'bench');
  const { orderId } = await customer.ok<{ orderId: string }>('POST', '/orders', bookingAt(placeOf(1)));
  const faulty = { core, dataDir, ops: await core.as('ops', 'bench') };
  const url = `${core.addresses.api}/orders/${orderId}`;
  const traffic = startSteadyLoad({ url, token: customer.token ?? '', ...load });
  try {
    await wait(warmUpMs);
    const control: Round[] = [];
    for (let round = 0; round < rounds; round += 1) control.push(await runControl(core, traffic));
    const results = new Map<Way, Round[]>();
    for (const way of ways) {
      const first = await runRound(way, faulty, { traffic, quietMs: 0 });
      const all: Round[] = [];
      // The first one tells how long this way takes.
      for (let round = 0; round < rounds; round += 1)
        all.push(await runRound(way, faulty, { traffic, quietMs: first.seconds * 1250 + settleMs }));
      results.set(way, all);
    }
    return toResult(results, control);
  } finally {
    await traffic.stop();
  }
}

/** Nobody dies: how far its ratio is from 1 is what the machine's other work does to the figures. */
async function runControl(core: CoreProcess, traffic: SteadyLoad): Promise<Round> {
  const beginMs = performance.now() + controlMs;
  await watchStates(core, () => performance.now() >= beginMs + controlMs);
  return { ...toWindows(traffic.samples, beginMs, beginMs + controlMs), seconds: controlMs / 1000 };
}

async function runRound(
  way: Way,
  faulty: Faulty,
  { traffic, quietMs }: { readonly traffic: SteadyLoad; readonly quietMs: number },
): Promise<Round> {
  const { core, dataDir } = faulty;
  const deathsBefore = (await listDeaths(dataDir, 'faulty')).length;
  const quietUntilMs = performance.now() + quietMs;
  await watchStates(core, () => performance.now() >= quietUntilMs);
  const diesAtMs = performance.now();
  const dying = way.die(faulty);
  let wasDown = false;
  await watchStates(core, (state) => {
    if (performance.now() - diesAtMs > reachMs) throw new Error(`B is ${state} after ${reachMs} ms by ${way.name}`);
    wasDown ||= state !== 'ready';
    return wasDown && state === 'ready';
  });
  const readyAtMs = performance.now();
  await dying;
  const reason = (await listDeaths(dataDir, 'faulty')).slice(deathsBefore).at(-1)?.reason ?? 'nothing';
  if (!way.reasons.includes(reason)) throw new Error(`B died of ${reason}, not of ${way.reasons.join(' or ')}`);
  if (traffic.failures.length > 0) throw new Error(`A request of A failed by ${way.name}: ${traffic.failures[0]}`);
  return { ...toWindows(traffic.samples, diesAtMs, readyAtMs), seconds: (readyAtMs - diesAtMs) / 1000 };
}

/** Asks for the states until that of B is what is waited for. A must be ready each time. */
async function watchStates(core: CoreProcess, isOver: (stateOfB: string) => boolean): Promise<void> {
  for (;;) {
    const response = await fetch(`${core.addresses.ops}/readyz`, { signal: AbortSignal.timeout(reachMs) });
    const { checks } = (await response.json()) as { checks: readonly { name: string; state: string }[] };
    const stateOf = (plugin: string): string =>
      checks.find(({ name }) => name === `plugin:${plugin}`)?.state ?? 'missing';
    if (stateOf('orders') !== 'ready') throw new Error(`A is ${stateOf('orders')} while B dies`);
    if (isOver(stateOf('faulty'))) return;
    await wait(pollMs);
  }
}

/** What was due while B was down, and as many requests before: a percentile depends on how many there are. */
function toWindows(samples: readonly Sample[], diesAtMs: number, readyAtMs: number): Omit<Round, 'seconds'> {
  const dying = samples.filter(({ atMs }) => atMs >= diesAtMs && atMs < readyAtMs);
  const quiet = samples.filter(({ atMs }) => atMs < diesAtMs).slice(-dying.length);
  return { quiet, dying };
}

function p99(samples: readonly Sample[]): number {
  return percentile(
    samples.map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b),
    99,
  );
}

interface Ratio {
  readonly ours: number;
  readonly baseline: number;
  readonly ratio: number;
}

/** The middle round: a moment in which the machine does something else falls into one of them. */
function compare(runs: readonly Round[]): Ratio {
  const pairs = runs.map(({ quiet, dying }) => ({ ours: p99(dying), baseline: p99(quiet) }));
  return {
    ours: median(pairs.map(({ ours }) => ours)),
    baseline: median(pairs.map(({ baseline }) => baseline)),
    ratio: median(pairs.map(({ ours, baseline }) => ours / baseline)),
  };
}

function toResult(results: ReadonlyMap<Way, readonly Round[]>, control: readonly Round[]): BenchResult {
  const figures: Record<string, number> = { nobody_dies_ratio: compare(control).ratio };
  let worst: Ratio = { ours: Number.NaN, baseline: Number.NaN, ratio: 0 };
  for (const [{ name }, runs] of results) {
    const compared = compare(runs);
    if (compared.ratio > worst.ratio) worst = compared;
    figures[`${name}_ratio`] = compared.ratio;
    figures[`${name}_p99_ms`] = compared.ours;
    figures[`${name}_baseline_p99_ms`] = compared.baseline;
    figures[`${name}_down_s`] = median(runs.map(({ seconds }) => seconds));
    figures[`${name}_requests`] = runs.reduce((sum, { dying }) => sum + dying.length, 0);
  }
  return { bench: 'isolation', unit: 'ms p99 of A while B dies, the worst way', ...worst, figures };
}
