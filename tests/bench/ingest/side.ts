import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { DeviceCredentials, Rig } from '../../support/ingest/rig.ts';
import { until } from '../../support/until.ts';
import { cpuOfTree } from '../process-cpu.ts';
import { startLoad } from './load-process.ts';

/** One way from devices to rows. */
export interface Side {
  readonly name: string;
  readonly url: string;
  readonly devices: readonly DeviceCredentials[];
  readonly rig: Rig;
  readonly table: string;
  /** Whether a device's PUBACK says that its fix is committed. */
  readonly acknowledgesCommit: boolean;
  /** The CPU time so far of everything but load and Postgres, by part, in µs. */
  readonly cpu: () => Promise<Readonly<Record<string, number>>>;
}

export interface FlatOut {
  readonly perSecond: number;
  /** µs of CPU a fix, by part. */
  readonly cpuUs: Readonly<Record<string, number>>;
}

const windowMax = 100;
/** Until code is compiled and memory has grown to what it stays at. */
const warmUpFixes = 100_000;
const pollMs = 100;
const commitMaxMs = 600_000;

async function count(client: pg.Client, { table }: Side): Promise<number> {
  const { rows } = await client.query<{ count: string }>(`select count(*) as count from ${table}`);
  return Number(rows[0]?.count);
}

/** Grows while fixes are stored; unlike counting them it costs Postgres next to nothing. */
async function sizeOf(client: pg.Client, { table }: Side): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    'select sum(pg_relation_size(relid)) as bytes from pg_partition_tree($1)',
    [table],
  );
  return Number(rows[0]?.bytes);
}

async function cpuOf(side: Side): Promise<Readonly<Record<string, number>>> {
  const postgres = cpuOfTree(side.rig.core.child.pid ?? 0, (name) => name.startsWith('postgres'));
  return { ...(await side.cpu()), postgres };
}

/** So many fixes as fast as they are taken, from the first to the last commit, after others that warm it up. */
export function measureFlatOut(side: Side, fixes: number): Promise<FlatOut> {
  // One connection: to open one for each look would cost Postgres as much as some hundred fixes.
  return side.rig.database.with((client) => measureOn(client, side, fixes));
}

async function measureOn(client: pg.Client, side: Side, fixes: number): Promise<FlatOut> {
  const load = startLoad();
  try {
    await load.ask({ do: 'connect', url: side.url, devices: side.devices, baseMs: Date.now() - 86_400_000 });
    await send(side, warmUpFixes);
    const before = await cpuOf(side);
    const began = new Date();
    await send(side, fixes);
    const after = await cpuOf(side);
    const seconds = await secondsToLastCommit(client, side, began);
    const cpuUs = Object.fromEntries(
      Object.keys(after).map((part) => [part, ((after[part] ?? 0) - (before[part] ?? 0)) / fixes]),
    );
    return { perSecond: fixes / seconds, cpuUs };
  } finally {
    await load.stop();
  }

  async function send(to: Side, number: number): Promise<void> {
    const stored = await count(client, to);
    const { acknowledged } = await load.ask({ do: 'counts' });
    const perDevice = Math.ceil(number / to.devices.length);
    const total = perDevice * to.devices.length;
    await load.ask({ do: 'flat-out', windowMax, perDevice, clock: 'number' });
    await until(
      'all are acknowledged',
      async () => (await tick(load)).acknowledged >= acknowledged + total,
      commitMaxMs,
    );
    await load.ask({ do: 'pause' });
    if (to.acknowledgesCommit) return assertStored(client, to, stored + total);
    let bytes = 0;
    async function isStored(): Promise<boolean> {
      await wait(pollMs);
      const before = bytes;
      bytes = await sizeOf(client, to);
      // They are counted only while nothing more is written: that costs as much as storing some of them.
      return bytes === before && (await count(client, to)) >= stored + total;
    }
    await until('all are committed', isStored, commitMaxMs);
  }
}

/** By Postgres' own time of the commit: one that is only looked for now and then would count the waiting too. */
async function secondsToLastCommit(client: pg.Client, { table }: Side, began: Date): Promise<number> {
  const { rows } = await client.query<{ seconds: number }>(
    `select extract(epoch from max(pg_xact_commit_timestamp(xmin)) - $1::timestamptz)::float8 as seconds from ${table}`,
    [began],
  );
  const [{ seconds } = { seconds: Number.NaN }] = rows;
  return seconds;
}

const tick = async (load: ReturnType<typeof startLoad>): Promise<{ readonly acknowledged: number }> => {
  await wait(10);
  return load.ask({ do: 'counts' });
};

async function assertStored(client: pg.Client, side: Side, wanted: number): Promise<void> {
  const stored = await count(client, side);
  if (stored !== wanted) throw new Error(`${side.name} stored ${stored} fixes, not ${wanted}`);
}

/** From a fix' publish to its commit, by Postgres' commit timestamps; in ms. */
export async function measureLag(
  side: Side,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<Lag> {
  const load = startLoad();
  try {
    await load.ask({ do: 'connect', url: side.url, devices: side.devices, baseMs: 0 });
    const begin = new Date();
    await load.ask({ do: 'paced', perSecond, clock: 'now' });
    await wait(seconds * 1000);
    await load.ask({ do: 'pause' });
    await until('all are acknowledged', async () => (await load.ask({ do: 'counts' })).open === 0, commitMaxMs);
    const { sent } = await load.ask({ do: 'counts' });
    return await until(
      'all are committed',
      async () => {
        const lag = await readLag(side, begin);
        return lag.count >= sent && lag;
      },
      commitMaxMs,
    );
  } finally {
    await load.stop();
  }
}

export interface Lag {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Of the fixes that were published since then and are committed. */
export async function readLag({ rig, table }: Side, begin: Date): Promise<Lag> {
  return rig.database.with(async (client) => {
    const { rows } = await client.query<{ count: string; p50: number; p99: number }>(
      `select count(*) as count, percentile_cont(0.5) within group (order by lag) as p50,
        percentile_cont(0.99) within group (order by lag) as p99
      from (select 1000 * extract(epoch from pg_xact_commit_timestamp(xmin) - recorded_at)::float8 as lag
        from ${table} where recorded_at >= $1) lags`,
      [begin],
    );
    const [row] = rows;
    return { count: Number(row?.count), p50Ms: row?.p50 ?? Number.NaN, p99Ms: row?.p99 ?? Number.NaN };
  });
}
