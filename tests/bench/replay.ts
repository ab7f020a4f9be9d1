import { setTimeout as wait } from 'node:timers/promises';
import { killCores } from '../support/core-process.ts';
import { until } from '../support/until.ts';
import { numberFlag } from './flags.ts';
import { startLoad } from './ingest/load-process.ts';
import { startPlatformSide } from './ingest/sides.ts';
import type { BenchResult } from './report.ts';

/** What phones' libraries keep on the way. */
const windowMax = 20;
const replayMaxMs = 1_800_000;

/**
 * Devices that were without a network come back at once, each with its queue, while as many others send one fix a second:
 * the live ones' time from publish to PUBACK, against the same without the replay. `--devices=` of each kind, `--queued=`
 * fixes of each that comes back.
 */
export async function benchReplay(): Promise<BenchResult> {
  const devices = numberFlag('devices', 500);
  const queued = numberFlag('queued', 2000);
  const quietSeconds = numberFlag('seconds', 20);
  const bench = await startPlatformSide(2 * devices);
  const live = startLoad();
  const back = startLoad();
  try {
    const { url, devices: all, table } = bench.side;
    const baseMs = Date.now() - 86_400_000;
    await live.ask({ do: 'connect', url, devices: all.slice(0, devices), baseMs: 0 });
    await live.ask({ do: 'paced', perSecond: devices, clock: 'now' });
    await wait(2000);
    await live.ask({ do: 'reset' });
    await wait(quietSeconds * 1000);
    const quiet = await live.ask({ do: 'totals' });
    await live.ask({ do: 'reset' });
    const beganAt = performance.now();
    await back.ask({ do: 'flat-out', windowMax, perDevice: queued, clock: 'number' });
    await back.ask({ do: 'connect', url, devices: all.slice(devices), baseMs });
    const total = devices * queued;
    await until(
      'the queues are empty',
      async () => (await wait(100, true)) && (await back.ask({ do: 'counts' })).acknowledged >= total,
      replayMaxMs,
    );
    const seconds = (performance.now() - beganAt) / 1000;
    const busy = await live.ask({ do: 'totals' });
    await live.ask({ do: 'pause' });
    await until('all are acknowledged', async () => (await live.ask({ do: 'counts' })).open === 0, replayMaxMs);
    const { sent } = await live.ask({ do: 'counts' });
    const stored = await bench.rig.database.with(async (client) => {
      const { rows } = await client.query<{ count: string }>(`select count(*) as count from ${table}`);
      return Number(rows[0]?.count);
    });
    return {
      bench: 'replay',
      unit: 'ms live p99',
      ours: busy.p99Ms,
      baseline: quiet.p99Ms,
      ratio: busy.p99Ms / quiet.p99Ms,
      figures: {
        live_p50_ms: busy.p50Ms,
        quiet_p50_ms: quiet.p50Ms,
        replay_s: seconds,
        replayed_per_s: total / seconds,
        lost: total + sent - stored,
      },
    };
  } finally {
    await Promise.all([live.stop(), back.stop()]);
    await bench.stop();
    await killCores();
  }
}
