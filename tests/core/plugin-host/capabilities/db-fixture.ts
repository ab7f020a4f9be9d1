/** The capability `db` of a plugin `orders` on a real Postgres, past invoke(). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trace } from '@opentelemetry/api';
import { preparePlugins } from '#core/database/plugin-roles.ts';
import { createTransactions, type Transactions } from '#core/database/transactions.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Call } from '#core/plugin-host/capability.ts';
import { createDbCapability } from '#core/plugin-host/capabilities/db.ts';
import { createQueryCache, type QueryCache } from '#core/plugin-host/capabilities/query-cache.ts';
import { createFakeInstance } from '../../../support/fake-instance.ts';
import { createDatabaseFixture } from '../../../support/postgres.ts';

export interface DbFixture extends Awaited<ReturnType<typeof createDatabaseFixture>> {
  readonly orders: PluginInstance;
  readonly queryCache: QueryCache;
  readonly transactions: Transactions;
  run(
    method: 'query' | 'begin' | 'commit' | 'rollback',
    args: object,
    options?: { signal?: AbortSignal; instance?: PluginInstance },
    // oxlint-disable-next-line typescript/no-explicit-any -- what comes back crossed a process boundary: each test says what it expects
  ): Promise<any>;
}

export async function startDbFixture(): Promise<DbFixture> {
  const dir = mkdtempSync(join(tmpdir(), 'returnit-migrations-'));
  const orders = createFakeInstance('orders');
  writeFileSync(
    join(dir, '0001_create_item.sql'),
    'create table item (id integer primary key, name text unique, at timestamptz, big bigint, raw bytea)',
  );
  const base = await createDatabaseFixture({
    plugins: [{ name: 'orders', connections: 3 }],
    config: { dbRowsMax: 100, pluginFrameMaxBytes: 20_000, dbAcquireTimeoutMs: 5000 },
  });
  await preparePlugins(base.database, [{ name: 'orders', migrationsDir: dir, publishes: [], reads: [] }], base);
  const transactions = createTransactions(base);
  const queryCache = createQueryCache(base.config, base.telemetry.metrics);
  const capability = createDbCapability({ ...base, transactions, queryCache });
  const span = trace.getTracer('test').startSpan('test');
  return {
    ...base,
    orders,
    queryCache,
    transactions,
    async run(method, args, options = {}) {
      const call: Call = {
        instance: options.instance ?? orders,
        span,
        signal: options.signal ?? new AbortController().signal,
        deadlineMs: Date.now() + 10_000,
        check() {},
      };
      return capability.methods[method]?.run(args as never, call);
    },
    async stop() {
      await transactions.stop();
      await base.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const sql = (text: string, values: unknown[] = [], tx?: string, name = 'test'): object => ({
  statement: { name, text },
  values,
  ...(tx === undefined ? {} : { tx }),
});

/** Statements of the plugin that run on the server now. */
export async function countActive(fixture: DbFixture): Promise<number> {
  const { rows } = await fixture.database.admin.query({
    text: "select count(*)::int as count from pg_stat_activity where usename = 'returnit_orders' and (state = 'active' or state like 'idle in%') and datname = current_database()",
  });
  return (rows[0] as { count: number }).count;
}
