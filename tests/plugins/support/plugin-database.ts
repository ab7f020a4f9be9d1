import { Pool } from 'pg';
import type { Database } from '#plugin-api';
import { createTestDatabase } from '../../support/postgres.ts';
import { createAdapter, migrate, type Sent } from './database-adapter.ts';

/** A plugin's own schema on a real Postgres, and what its committed transactions have published and sent. */
export interface PluginDatabase {
  readonly db: Database;
  readonly sent: readonly Sent[];
  /** What was published or sent under this name. */
  find(name: string): readonly Sent[];
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** The first plugin is the one under test; the others' schemas are there for their published views. */
export async function createPluginDatabase(plugin: string, ...others: readonly string[]): Promise<PluginDatabase> {
  const test = await createTestDatabase();
  const pool = new Pool({ connectionString: test.url, max: 20, options: `-c search_path=${plugin}` });
  for (const name of [...others, plugin]) await migrate(pool, name);
  const sent: Sent[] = [];
  return {
    db: createAdapter(pool, sent),
    sent,
    find: (name) => sent.filter((entry) => entry.name === name),
    async sql(text, values) {
      return (await pool.query<Record<string, unknown>>(text, values)).rows;
    },
    async stop() {
      await pool.end();
      await test.drop();
    },
  };
}
