/** A plugin's database on `pg` alone. Nothing here loads node:test: benchmarks use it too. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Pool, PoolClient } from 'pg';
import type { Database, DomainEvent, Queryable, SendOptions, Transaction } from '#plugin-api';
import { pluginTypes } from '#core/database/type-parsers.ts';

export interface Sent {
  readonly kind: 'event' | 'job';
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly options?: SendOptions | undefined;
  /** Its place among all that was handed over. Of two that commit at once, either may be heard of first. */
  readonly place: number;
}

let places = 0;

export async function migrate(pool: Pool, plugin: string): Promise<void> {
  const folder = new URL(`../../../plugins/${plugin}/migrations/`, import.meta.url);
  const client = await pool.connect();
  await client.query(`create schema ${plugin}`);
  await client.query(`set search_path to ${plugin}`);
  for (const file of readdirSync(folder).toSorted()) await client.query(readFileSync(new URL(file, folder), 'utf8'));
  client.release(true);
}

/** @param sent - takes what a transaction has published and sent, once it has committed */
export function createAdapter(pool: Pool, sent: Pick<Sent[], 'push'>): Database {
  return {
    ...toQueryable(pool),
    // Nothing is kept: a plugin must be right without its caches.
    cached: (statement, values) => toQueryable(pool).query(statement, values),
    async transaction(work) {
      const client = await pool.connect();
      const pending: Sent[] = [];
      try {
        await client.query('begin');
        const result = await work(toTransaction(client, pending));
        await client.query('commit');
        sent.push(...pending);
        return result;
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    },
  };
}

function toTransaction(client: PoolClient, pending: Sent[]): Transaction {
  const add = (entry: Omit<Sent, 'place'>): Promise<void> => {
    // What crosses the process boundary is JSON.
    pending.push(JSON.parse(JSON.stringify({ ...entry, place: (places += 1) })) as Sent);
    return Promise.resolve();
  };
  return {
    ...toQueryable(client),
    events: { publish: (name, data) => add({ kind: 'event', name, data: { ...data } }) },
    jobs: { send: (name, data, options) => add({ kind: 'job', name, data: { ...data }, options }) },
  };
}

function toQueryable(client: Pool | PoolClient): Queryable {
  return {
    async query(statement, values = []) {
      const { rows, rowCount } = await client.query({ ...statement, values: [...values], types: pluginTypes });
      return { rows: JSON.parse(JSON.stringify(rows)) as never[], rowCount: rowCount ?? 0 };
    },
  };
}

/** An event as a subscriber gets it. */
export function toEvent<Data>(
  name: string,
  data: Data,
  id = `event-${name}`,
  publishedAt = '2026-05-04T08:00:00.000Z',
): DomainEvent<Data> {
  return { id, name, data, publishedBy: 'tests', publishedAt };
}
