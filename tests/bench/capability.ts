import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { keepAwake } from './awake.ts';
import { startBenchPlatform } from './platform.ts';
import { cpuOfTree } from './process-cpu.ts';
import { median, type BenchResult } from './report.ts';

interface RunResult {
  readonly seconds: number;
  readonly p50Us: number;
}

interface Round extends RunResult {
  /** Of this process and its children that run Node, for each call. */
  readonly cpuUs: number;
}

interface Run {
  readonly calls: number;
  readonly inFlight: number;
}

/** Few enough to end within the call timeout on a busy machine. */
const many: Run = { calls: 30_000, inFlight: 64 };
const one: Run = { calls: 5_000, inFlight: 1 };
const rounds = 15;
/** Code that runs in every call is compiled for good by then, on both sides. */
const warmUpRounds = 8;

/** An empty call from a plugin to the core and back, through all of invoke(), against a function call over Node's own IPC. */
export async function benchCapability(): Promise<BenchResult> {
  const platform = await startBenchPlatform({ plugins: [path.join(import.meta.dirname, 'plugins/caller')] });
  const child = fork(path.join(import.meta.dirname, 'ipc-parent.ts'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const ours = (run: Run): Promise<Round> => measure(run, () => platform.post<RunResult>('/caller', run));
    const baseline = (run: Run): Promise<Round> => measure(run, () => runIpc(child, run));
    for (let round = 0; round < warmUpRounds; round += 1) {
      await ours(many);
      await baseline(many);
    }
    const results = { ours: [] as Round[], baseline: [] as Round[] };
    for (let round = 0; round < rounds; round += 1) {
      results.ours.push(await ours(many));
      results.baseline.push(await baseline(many));
    }
    const asleep = { ours: await ours(one), baseline: await baseline(one) };
    const spinners = await keepAwake();
    try {
      return toResult(results, asleep, { ours: await ours(one), baseline: await baseline(one) });
    } finally {
      await spinners.stop();
    }
  } finally {
    const exited = once(child, 'exit');
    child.disconnect();
    await exited;
    await platform.stop();
  }
}

function toResult(
  results: Readonly<Record<'ours' | 'baseline', readonly Round[]>>,
  asleep: Readonly<Record<'ours' | 'baseline', Round>>,
  awake: Readonly<Record<'ours' | 'baseline', Round>>,
): BenchResult {
  const middle = (side: 'ours' | 'baseline', of: (round: Round) => number): number => median(results[side].map(of));
  const rate = (side: 'ours' | 'baseline'): number => middle(side, ({ seconds }) => many.calls / seconds);
  const cpu = (side: 'ours' | 'baseline'): number => middle(side, ({ cpuUs }) => cpuUs);
  return {
    bench: 'capability',
    unit: 'calls/s',
    ours: rate('ours'),
    baseline: rate('baseline'),
    // Of each round with the one beside it: the machine's own speed changes from one second to the next.
    ratio: median(results.ours.map(({ seconds }, round) => (results.baseline[round]?.seconds ?? Number.NaN) / seconds)),
    figures: {
      p50_us_one_in_flight: awake.ours.p50Us,
      baseline_p50_us_one_in_flight: awake.baseline.p50Us,
      p50_us_one_in_flight_asleep: asleep.ours.p50Us,
      baseline_p50_us_one_in_flight_asleep: asleep.baseline.p50Us,
      p50_us_64_in_flight: middle('ours', ({ p50Us }) => p50Us),
      baseline_p50_us_64_in_flight: middle('baseline', ({ p50Us }) => p50Us),
      cpu_us_per_call: cpu('ours'),
      baseline_cpu_us_per_call: cpu('baseline'),
      cpu_ratio: cpu('baseline') / cpu('ours'),
    },
  };
}

/** Whoever does not run costs nothing: the core in this process, its plugin, and the two processes of the baseline. */
async function measure({ calls }: Run, work: () => Promise<RunResult>): Promise<Round> {
  const cpu = (): number => cpuOfTree(process.pid, (name) => !name.startsWith('postgres'));
  const before = cpu();
  const result = await work();
  return { ...result, cpuUs: (cpu() - before) / calls };
}

/** The baseline's processes stay for all rounds, as the plugin does: both run code that is compiled by then. */
async function runIpc(parent: ChildProcess, run: Run): Promise<RunResult> {
  parent.send(run);
  const [result] = (await once(parent, 'message')) as [RunResult];
  return result;
}
