import { setTimeout as wait } from 'node:timers/promises';
import { killCores } from '../support/core-process.ts';
import { startRig, type Rig } from '../support/ingest/rig.ts';
import { until } from '../support/until.ts';
import { numberFlag } from './flags.ts';
import { startBaseline, type Baseline } from './orders/baseline.ts';
import { pluginSettings, putDriversOnShift, refreshPositions } from './orders/scene.ts';
import { createClient, type Client, type Traffic } from './orders/traffic.ts';
import { median, percentile, type BenchResult } from './report.ts';

const bookingsAtOnce = 32;
const assignMaxMs = 300_000;
const rounds = 3;
const warmUp = 200;

/**
 * Orders booked flat out until each has its driver, against the same transactions through `pg` alone; then mixed traffic at
 * 10,000 and 100,000 requests a minute. `--orders=` of each round, `--seconds=` of each kind of traffic.
 */
export async function benchOrders(): Promise<BenchResult> {
  const orders = numberFlag('orders', 600);
  const seconds = numberFlag('seconds', 30);
  const drivers = 4000;
  const rig = await startRig({
    devices: 0,
    plugins: ['orders', 'payments', 'drivers', 'tracking', 'notifications', 'webhooks'],
    environment: { LOG_LEVEL: 'warn', DB_POOL_MAX: '100', ...pluginSettings },
  });
  const client = await createClient(rig);
  let baseline: Baseline | undefined;
  try {
    await rig.database.with((connection) => putDriversOnShift(connection, drivers));
    baseline = await startBaseline(drivers);
    const sides = { ours: oursOf(rig, client), baseline: baselineOf(baseline) };
    for (const [name, side] of Object.entries(sides)) console.error("warm", name, await flatOut(side, warmUp));
    const rates = { ours: [] as number[], baseline: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      await rig.database.with(refreshPositions);
      await baseline.refresh();
      for (const name of ['baseline', 'ours'] as const) {
        const rate = await flatOut(sides[name], orders);
        console.error(`round ${round + 1}, ${name}: ${rate.toFixed(1)} orders/s`);
        rates[name].push(rate);
      }
    }
    await baseline.stop();
    baseline = undefined;
    const steady = await mixed(rig, client, { perSecond: 10_000 / 60, seconds });
    const tenfold = await mixed(rig, client, { perSecond: 100_000 / 60, seconds });
    return {
      bench: 'orders',
      unit: 'orders/s booked to assigned',
      ours: median(rates.ours),
      baseline: median(rates.baseline),
      ratio: median(rates.ours) / median(rates.baseline),
      figures: { ...named('at_10k_per_min', steady), ...named('at_100k_per_min', tenfold) },
    };
  } finally {
    await baseline?.stop();
    await client.stop();
    await rig.stop();
    await killCores();
  }
}

interface Side {
  readonly book: (index: number) => Promise<unknown>;
  readonly assigned: () => Promise<number>;
  booked: number;
}

function oursOf(rig: Rig, client: Client): Side {
  return {
    booked: 0,
    book: (index) => client.book(index),
    assigned: () =>
      rig.database.with(async (connection) => {
        const { rows } = await connection.query<{ count: string }>(
          `select count(*) as count from orders.orders where driver_id is not null`,
        );
        return Number(rows[0]?.count);
      }),
  };
}

const baselineOf = (baseline: Baseline): Side => ({
  booked: 0,
  book: (index) => baseline.book(index),
  assigned: () => Promise.resolve(baseline.assigned),
});

/** Orders a second from the first booking until the last one has its driver. */
async function flatOut(side: Side, count: number): Promise<number> {
  const wanted = (await side.assigned()) + count;
  const beganMs = performance.now();
  let next = 0;
  const bookAll = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await side.book((side.booked += 1));
    }
  };
  await Promise.all(Array.from({ length: bookingsAtOnce }, bookAll));
  await until(
    'every order has a driver',
    async () => (await wait(20, true)) && (await side.assigned()) >= wanted,
    assignMaxMs,
  );
  return count / ((performance.now() - beganMs) / 1000);
}

interface Mixed {
  readonly traffic: Traffic;
  readonly assignedP50Ms: number;
  readonly assignedP99Ms: number;
}

async function mixed(
  rig: Rig,
  client: Client,
  rate: { readonly perSecond: number; readonly seconds: number },
): Promise<Mixed> {
  await rig.database.with(refreshPositions);
  const begin = new Date();
  const traffic = await client.run(rate);
  if (traffic.failures.length > 0) {
    throw new Error(`${traffic.failures.length} requests failed, such as: ${traffic.failures[0] ?? ''}`);
  }
  return until(
    'no order waits for a driver',
    () =>
      rig.database.with(async (connection) => {
        const { rows } = await connection.query<{ open: number; p50: number; p99: number }>(
          `select count(*) filter (where o.status in ('created', 'scheduled'))::int as open,
            percentile_cont(0.5) within group (order by extract(epoch from h.occurred_at - o.created_at) * 1000) as p50,
            percentile_cont(0.99) within group (order by extract(epoch from h.occurred_at - o.created_at) * 1000) as p99
          from orders.orders o
            left join orders.order_history h on h.order_id = o.order_id and h.to_status = 'assigned'
          where o.created_at >= $1`,
          [begin],
        );
        const [row] = rows;
        return row?.open === 0 ? { traffic, assignedP50Ms: row.p50, assignedP99Ms: row.p99 } : undefined;
      }),
    assignMaxMs,
  );
}

function named(prefix: string, { traffic, assignedP50Ms, assignedP99Ms }: Mixed): Record<string, number> {
  const figures = Object.entries(traffic.latenciesMs).flatMap(([kind, latencies]) => [
    [`${prefix}_${kind}_p50_ms`, percentile(latencies, 50)],
    [`${prefix}_${kind}_p99_ms`, percentile(latencies, 99)],
  ]);
  return {
    ...(Object.fromEntries(figures) as Record<string, number>),
    [`${prefix}_booked_to_assigned_p50_ms`]: assignedP50Ms,
    [`${prefix}_booked_to_assigned_p99_ms`]: assignedP99Ms,
  };
}
