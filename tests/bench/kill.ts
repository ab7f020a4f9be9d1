import { setTimeout as wait } from 'node:timers/promises';
import { killCores } from '../support/core-process.ts';
import { until } from '../support/until.ts';
import { numberFlag } from './flags.ts';
import { startLoad, type Load, type LoadCommand } from './ingest/load-process.ts';
import { startPlatformSide, type BenchRig } from './ingest/sides.ts';
import { median, type BenchResult } from './report.ts';

const devices = 100;
const paces: Readonly<Record<string, LoadCommand>> = {
  flat_out: { do: 'flat-out', windowMax: 100, clock: 'number' },
  paced: { do: 'paced', perSecond: 500, clock: 'number' },
};
const recoverMaxMs = 300_000;

interface Counted {
  readonly acknowledged: number;
  readonly lost: number;
  readonly double: number;
  readonly recoverSeconds: readonly number[];
}

/**
 * `kill -9` of the core in the middle of ingest. The baseline is the batch flow that was measured in Node-RED: at best it
 * lost 6 % of what it had acknowledged. `--kills=` at each pace.
 */
export async function benchKill(): Promise<BenchResult> {
  const kills = numberFlag('kills', 3);
  const bench = await startPlatformSide(devices);
  try {
    const figures: Record<string, number> = {};
    let lostPercent = 0;
    for (const [index, [name, pace]] of Object.entries(paces).entries()) {
      const counted = await run(bench, { pace, kills, baseMs: Date.now() - (3 - index) * 86_400_000 });
      lostPercent = Math.max(lostPercent, (100 * counted.lost) / counted.acknowledged);
      figures[`${name}_acknowledged`] = counted.acknowledged;
      figures[`${name}_lost`] = counted.lost;
      figures[`${name}_double`] = counted.double;
      figures[`${name}_recover_s`] = median(counted.recoverSeconds);
      figures[`${name}_recover_max_s`] = Math.max(...counted.recoverSeconds);
    }
    return { bench: 'kill', unit: '% lost', ours: lostPercent, baseline: 6, ratio: lostPercent / 6, figures };
  } finally {
    await bench.stop();
    await killCores();
  }
}

interface KillRun {
  readonly pace: LoadCommand;
  readonly kills: number;
  readonly baseMs: number;
}

async function run({ rig, side }: BenchRig, { pace, kills, baseMs }: KillRun): Promise<Counted> {
  const load = startLoad();
  const recoverSeconds: number[] = [];
  try {
    await load.ask({ do: 'connect', url: side.url, devices: side.devices, baseMs });
    await load.ask(pace);
    for (let kill = 0; kill < kills; kill += 1) {
      await untilMore(load, 2000);
      await rig.killCore();
      const { acknowledged } = await load.ask({ do: 'counts' });
      const killedAt = performance.now();
      await rig.startCore();
      await until('fixes are acknowledged again', async () => (await after(load)) > acknowledged, recoverMaxMs);
      recoverSeconds.push((performance.now() - killedAt) / 1000);
    }
    await untilMore(load, 2000);
    await load.ask({ do: 'pause' });
    await until('all are acknowledged', async () => (await load.ask({ do: 'counts' })).open === 0, recoverMaxMs);
    const { acknowledged } = await load.ask({ do: 'counts' });
    // Each fix has a millisecond of its own.
    const { rows } = await rig.database.with((client) =>
      client.query<{ stored: string; different: string }>(
        `select count(*) as stored, count(distinct recorded_at) as different
        from ${side.table} where recorded_at between $1 and $2`,
        [new Date(baseMs), new Date(baseMs + 86_399_000)],
      ),
    );
    const stored = Number(rows[0]?.stored);
    const different = Number(rows[0]?.different);
    return { acknowledged, lost: acknowledged - different, double: stored - different, recoverSeconds };
  } finally {
    await load.stop();
  }
}

async function after(load: Load): Promise<number> {
  await wait(10);
  return (await load.ask({ do: 'counts' })).acknowledged;
}

async function untilMore(load: Load, fixes: number): Promise<void> {
  const { acknowledged } = await load.ask({ do: 'counts' });
  await until(`${fixes} more are acknowledged`, async () => (await after(load)) >= acknowledged + fixes, recoverMaxMs);
}
