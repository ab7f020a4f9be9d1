import { loadavg } from 'node:os';
import type pg from 'pg';
import { killCores } from '../support/core-process.ts';
import { startRig, type Rig } from '../support/ingest/rig.ts';
import { numberFlag } from './flags.ts';
import { startBaseline, type Baseline } from './orders/baseline.ts';
import { flatOut, type FlatOut, type Side } from './orders/flat-out.ts';
import { runMixed, toFigures, type Mixed } from './orders/mixed.ts';
import { keepPositionsFresh, pluginSettings, putDriversOnShift } from './orders/scene.ts';
import { createClient, type Client } from './orders/traffic.ts';
import { cpuOfTree } from './process-cpu.ts';
import { median, percentile, type BenchResult } from './report.ts';

const warmUpMax = 200;
const ratioMin = 0.5;
const bookP99MaxMs = 250;

interface Extent {
  /** Of each round. */
  readonly orders: number;
  readonly rounds: number;
  /** Of each kind of traffic. */
  readonly seconds: number;
  readonly drivers: number;
}

/**
 * Orders booked flat out until each has its driver, against the same transactions through `pg` alone; then mixed traffic at
 * 10,000 and 100,000 requests a minute. `--orders=` of each round, `--rounds=`, `--seconds=` of each kind of traffic,
 * `--drivers=` in the city, who take five orders each.
 */
export async function benchOrders(): Promise<BenchResult> {
  const extent = {
    orders: numberFlag('orders', 600),
    rounds: numberFlag('rounds', 3),
    seconds: numberFlag('seconds', 30),
    drivers: numberFlag('drivers', 4000),
  };
  const loadBefore = loadavg()[0] ?? 0;
  const rig = await startRig({
    devices: 0,
    plugins: ['orders', 'payments', 'drivers', 'tracking', 'notifications', 'webhooks'],
    environment: { LOG_LEVEL: 'warn', ...pluginSettings },
  });
  try {
    return await rig.database.with((connection) => measure(rig, connection, { ...extent, loadBefore }));
  } finally {
    await rig.stop();
    await killCores();
  }
}

async function measure(
  rig: Rig,
  connection: pg.Client,
  extent: Extent & { readonly loadBefore: number },
): Promise<BenchResult> {
  const client = await createClient(rig);
  await putDriversOnShift(connection, extent.drivers);
  const positions = keepPositionsFresh(connection);
  try {
    const compared = await compare(rig, { connection, client, extent });
    const at = async (perMinute: number): Promise<Mixed> => {
      console.error(`mixed traffic, ${perMinute} requests/min`);
      return runMixed(connection, client, { perSecond: perMinute / 60, seconds: extent.seconds });
    };
    const steady = await at(10_000);
    const tenfold = await at(100_000);
    return toResult({ compared, steady, tenfold, loadBefore: extent.loadBefore });
  } finally {
    await positions.stop();
    await client.stop();
  }
}

interface Compared {
  readonly ours: readonly FlatOut[];
  readonly baseline: readonly FlatOut[];
}

async function compare(
  rig: Rig,
  options: { readonly connection: pg.Client; readonly client: Client; readonly extent: Extent },
): Promise<Compared> {
  const { orders, rounds, drivers } = options.extent;
  const baseline = await startBaseline(drivers);
  try {
    const sides = { baseline: baselineOf(baseline), ours: oursOf(rig, options) };
    for (const side of Object.values(sides)) await flatOut(side, Math.min(orders, warmUpMax));
    const measured = { baseline: [] as FlatOut[], ours: [] as FlatOut[] };
    for (let round = 1; round <= rounds; round += 1) {
      for (const name of ['baseline', 'ours'] as const) {
        const result = await flatOut(sides[name], orders);
        const { perSecond, cpuMsPerOrder } = result;
        console.error(
          `round ${round}, ${name}: ${perSecond.toFixed(1)}/s, ${cpuMsPerOrder.toFixed(1)} ms CPU an order`,
        );
        measured[name].push(result);
      }
    }
    return measured;
  } finally {
    await baseline.stop();
  }
}

function oursOf(rig: Rig, { connection, client }: { readonly connection: pg.Client; readonly client: Client }): Side {
  return {
    booked: 0,
    book: (index) => client.book(index),
    cpuUs: () => cpuOfTree(rig.core.child.pid ?? 0),
    async assigned() {
      const { rows } = await connection.query<{ count: number }>(
        'select count(*)::int as count from orders.orders where driver_id is not null',
      );
      return rows[0]?.count ?? 0;
    },
  };
}

const baselineOf = (baseline: Baseline): Side => ({
  booked: 0,
  book: (index) => baseline.book(index),
  // Its plugins run in this process, which has nothing else to do meanwhile.
  cpuUs: () => process.cpuUsage().user + process.cpuUsage().system + baseline.postgresCpuUs(),
  assigned: () => Promise.resolve(baseline.assigned),
});

interface Measured {
  readonly compared: Compared;
  readonly steady: Mixed;
  readonly tenfold: Mixed;
  readonly loadBefore: number;
}

function toResult({ compared, steady, tenfold, loadBefore }: Measured): BenchResult {
  const rate = (all: readonly FlatOut[]): number => median(all.map(({ perSecond }) => perSecond));
  const cpu = (all: readonly FlatOut[]): number => median(all.map(({ cpuMsPerOrder }) => cpuMsPerOrder));
  const ratio = rate(compared.ours) / rate(compared.baseline);
  const bookP99Ms = percentile(steady.traffic.latenciesMs.book, 99);
  return {
    bench: 'orders',
    unit: 'orders/s booked to assigned',
    ours: rate(compared.ours),
    baseline: rate(compared.baseline),
    ratio,
    figures: {
      cpu_ms_per_order: cpu(compared.ours),
      baseline_cpu_ms_per_order: cpu(compared.baseline),
      // Other programs want the same processors: what takes time depends on them, what takes CPU hardly.
      load_average_before: loadBefore,
      load_average_after: loadavg()[0] ?? 0,
      ...toFigures('at_10k_per_min', steady),
      ...toFigures('at_100k_per_min', tenfold),
    },
    verdicts: [
      { what: `at least ${ratioMin} of the baseline's rate`, value: ratio, holds: ratio >= ratioMin },
      {
        what: `p99 of booking below ${bookP99MaxMs} ms at 10,000 requests/min`,
        value: bookP99Ms,
        holds: bookP99Ms < bookP99MaxMs,
      },
    ],
  };
}
