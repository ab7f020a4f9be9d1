/** The embedded Postgres of a core in another process, as its superuser. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as pg from 'pg';
import { readPostmasterFile } from '#core/database/postmaster.ts';
import { until } from '../until.ts';

export interface EmbeddedDatabase {
  readonly postmasterPid: number;
  /** A connection of its own for the work; made again until the server answers. */
  with<T>(work: (client: pg.Client) => Promise<T>): Promise<T>;
  /** How often each fix time, in epoch milliseconds, is stored. */
  countByTime(): Promise<ReadonlyMap<number, number>>;
  /** The time of the newest position of each driver. */
  newestTimes(): Promise<ReadonlyMap<string, number>>;
}

export function openEmbeddedDatabase(dataDir: string): EmbeddedDatabase {
  const dir = join(dataDir, 'postgres');

  async function connect(): Promise<pg.Client | undefined> {
    const password = readFileSync(join(dataDir, 'postgres.secret'), 'utf8').trim();
    const client = new pg.Client({ host: dir, port: 5432, user: 'returnit', password, database: 'returnit' });
    // A server that is stopped below a connection is what some tests are about; the query says so.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch {
      return undefined; // It starts.
    }
  }

  const database: EmbeddedDatabase = {
    get postmasterPid() {
      const pid = readPostmasterFile(dir)?.pid;
      if (pid === undefined) throw new Error(`No Postgres runs on ${dir}`);
      return pid;
    },
    async with(work) {
      const client = await until('Postgres answers', connect);
      try {
        return await work(client);
      } finally {
        await client.end();
      }
    },
    countByTime: () =>
      database.with(async (client) => {
        const { rows } = await client.query<{ ms: string; count: string }>(
          `select (extract(epoch from recorded_at) * 1000)::int8 as ms, count(*) as count
          from tracking.driver_location_pings group by 1`,
        );
        return new Map(rows.map(({ ms, count }) => [Number(ms), Number(count)]));
      }),
    newestTimes: () =>
      database.with(async (client) => {
        const { rows } = await client.query<{ driver_id: string; recorded_at: Date }>(
          'select driver_id, recorded_at from tracking.driver_position',
        );
        return new Map(rows.map((row) => [row.driver_id, row.recorded_at.getTime()]));
      }),
  };
  return database;
}
