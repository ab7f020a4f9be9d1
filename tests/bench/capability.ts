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

interface Compared {
  readonly ours: Round[];
  readonly baseline: Round[];
}

interface Run {
  readonly calls: number;
  readonly inFlight: number;
}

/** Few enough to end within the call timeout on a busy machine. */
const many: Run = { calls: 30_000, inFlight: 64 };
const one: Run = { calls: 3_000, inFlight: 1 };
const rounds = 11;
/** Code that runs in every call is compiled for good by then, on both sides. */
const warmUpRounds = 8;

/**
 * An empty call from a plugin to the core and back, through all of invoke(), against a function call over Node's own IPC;
 * with processors that are kept awake, and beside it with ones that sleep whenever they can, whose waking is then measured too.
 */
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
    const compare = async (run: Run): Promise<Compared> => {
      const compared: Compared = { ours: [], baseline: [] };
      for (let round = 0; round < rounds; round += 1) {
        compared.ours.push(await ours(run));
        compared.baseline.push(await baseline(run));
      }
      return compared;
    };
    const spinners = await keepAwake();
    let awake: readonly [Compared, Compared];
    try {
      awake = [await compare(many), await compare(one)];
    } finally {
      await spinners.stop();
    }
    return toResult(awake, [await compare(many), await compare(one)]);
  } finally {
    const exited = once(child, 'exit');
    child.disconnect();
    await exited;
    await platform.stop();
  }
}

/** Each many in flight, then one. */
function toResult(awake: readonly [Compared, Compared], asleep: readonly [Compared, Compared]): BenchResult {
  const [awakeMany, awakeOne] = awake;
  const [asleepMany, asleepOne] = asleep;
  const rate = (sides: readonly Round[]): number => median(sides.map(({ seconds }) => many.calls / seconds));
  const p50 = (sides: readonly Round[]): number => median(sides.map(({ p50Us }) => p50Us));
  const cpu = (sides: readonly Round[]): number => median(sides.map(({ cpuUs }) => cpuUs));
  return {
    bench: 'capability',
    unit: 'calls/s',
    ours: rate(awakeMany.ours),
    baseline: rate(awakeMany.baseline),
    ratio: pairedRatio(awakeMany),
    figures: {
      p50_us_one_in_flight: p50(awakeOne.ours),
      baseline_p50_us_one_in_flight: p50(awakeOne.baseline),
      asleep_ratio: pairedRatio(asleepMany),
      asleep_p50_us_one_in_flight: p50(asleepOne.ours),
      asleep_baseline_p50_us_one_in_flight: p50(asleepOne.baseline),
      // What keeps the processors awake would be counted as well.
      asleep_cpu_us_per_call: cpu(asleepMany.ours),
      asleep_baseline_cpu_us_per_call: cpu(asleepMany.baseline),
    },
  };
}

/** Of each round with the one beside it: the machine's own speed changes from one second to the next. */
function pairedRatio({ ours, baseline }: Compared): number {
  return median(ours.map(({ seconds }, round) => (baseline[round]?.seconds ?? Number.NaN) / seconds));
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
