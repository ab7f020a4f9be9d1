import { setTimeout as wait } from 'node:timers/promises';
import { killCores } from '../support/core-process.ts';
import { until } from '../support/until.ts';
import { numberFlag } from './flags.ts';
import { readCoreHealth, type CoreHealth } from './ingest/core-health.ts';
import { startLoad } from './ingest/load-process.ts';
import { readLag, type Lag } from './ingest/side.ts';
import { startPlatformSide, type BenchRig } from './ingest/sides.ts';
import { startClients, type ClientsTotals, type Watch } from './live/clients-process.ts';
import { putUnderWay } from './live/orders.ts';
import type { BenchResult } from './report.ts';

const crowds = [500, 5000] as const;
const settleMs = 3000;
const commitMaxMs = 60_000;

interface Measured {
  readonly lag: Lag;
  readonly health: CoreHealth;
  readonly seen?: ClientsTotals;
}

/**
 * Drivers that move and send one fix a second, and WebSocket clients who follow them, as many customers of each: from
 * publish to client, against publish to commit without anybody who watches. `--drivers=`, `--seconds=` of each part.
 */
export async function benchLive(): Promise<BenchResult> {
  const drivers = numberFlag('drivers', 500);
  const seconds = numberFlag('seconds', 15);
  const bench = await startPlatformSide(drivers, undefined, {
    plugins: ['drivers', 'orders', 'tracking'],
    environment: { LIVE_CONNECTIONS_MAX: String(Math.max(...crowds)) },
  });
  const load = startLoad();
  try {
    const watches = await toWatches(bench);
    const { url, devices } = bench.side;
    await load.ask({ do: 'connect', url, devices, baseMs: 0, moving: true });
    await load.ask({ do: 'paced', perSecond: drivers, clock: 'now' });
    await wait(settleMs);
    const alone = await measure(bench, seconds);
    const results: (readonly [number, Measured])[] = [];
    for (const crowd of crowds) {
      const clients = startClients();
      try {
        const own = Array.from({ length: crowd }, (_, index) => watches[index % watches.length] as Watch);
        await clients.ask({ do: 'connect', url: bench.rig.core.addresses.api, watches: own });
        await wait(settleMs);
        results.push([crowd, await measure(bench, seconds, clients)]);
      } finally {
        await clients.stop();
      }
    }
    await load.ask({ do: 'pause' });
    await until('all are acknowledged', async () => (await load.ask({ do: 'counts' })).open === 0, commitMaxMs);
    return toResult(alone, results);
  } finally {
    await load.stop();
    await bench.stop();
    await killCores();
  }
}

/** Each order is its customer's own. */
async function toWatches({ rig }: BenchRig): Promise<readonly Watch[]> {
  const orders = await putUnderWay(rig);
  return Promise.all(
    orders.map(async ({ orderId, customerId }) => {
      const { token = '' } = await rig.core.as('customer', customerId);
      return { token, channel: `orders/${orderId}/position` };
    }),
  );
}

async function measure(
  { rig, side }: BenchRig,
  seconds: number,
  clients?: ReturnType<typeof startClients>,
): Promise<Measured> {
  const begin = new Date();
  const before = await readCoreHealth(rig);
  await clients?.ask({ do: 'reset' });
  await wait(seconds * 1000);
  const seen = await clients?.ask({ do: 'totals' });
  const after = await readCoreHealth(rig);
  const lag = await readLag(side, begin);
  return { lag, health: after.since(before), ...(seen === undefined ? {} : { seen }) };
}

function toResult(alone: Measured, crowded: readonly (readonly [number, Measured])[]): BenchResult {
  const figures = crowded.flatMap(([crowd, { lag, health, seen }]) =>
    Object.entries({
      publish_to_client_p50_ms: seen?.p50Ms,
      publish_to_client_p99_ms: seen?.p99Ms,
      publish_to_client_max_ms: seen?.maxMs,
      publish_to_commit_p99_ms: lag.p99Ms,
      updates: seen?.updates,
      updates_min_of_a_client: seen?.updatesMin,
      updates_max_of_a_client: seen?.updatesMax,
      not_newer: seen?.backwards,
      lost_clients: crowd - (seen?.connected ?? 0),
      event_loop_p99_ms: health.eventLoopP99Ms,
      core_rss_mib: health.rssMiB,
    }).map(([name, value]) => [`clients_${crowd}_${name}`, value ?? Number.NaN]),
  );
  const ours = crowded.at(-1)?.[1].seen?.p99Ms ?? Number.NaN;
  return {
    bench: 'live',
    unit: 'ms p99 to the client',
    ours,
    baseline: alone.lag.p99Ms,
    ratio: ours / alone.lag.p99Ms,
    figures: {
      alone_publish_to_commit_p50_ms: alone.lag.p50Ms,
      alone_publish_to_commit_p99_ms: alone.lag.p99Ms,
      alone_event_loop_p99_ms: alone.health.eventLoopP99Ms,
      ...(Object.fromEntries(figures) as Record<string, number>),
    },
  };
}
