/**
 * A real Postgres for tests. `RETURNIT_TEST_DATABASE_URL` names one that a runner started for all files; otherwise the
 * first use in a process starts one in a temporary folder and stops it after the file's tests.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import * as pg from 'pg';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import type { ConnectionRequest } from '#core/database/connection-budget.ts';
import { createDatabase, type Database } from '#core/database/database.ts';
import { migrateCore } from '#core/database/migrations.ts';
import { recordTelemetry, type TestTelemetry } from './record-telemetry.ts';
import { startTestServer, type TestServer } from './test-server.ts';

let server: Promise<TestServer> | undefined;
const testDatabaseUrl = loadTestServerUrl();

function loadTestServerUrl(): string | undefined {
  return process.env['RETURNIT_TEST_DATABASE_URL'] || undefined;
}

/** The server of this process; stopped after its tests. */
export async function useTestServer(): Promise<string> {
  if (testDatabaseUrl !== undefined) return testDatabaseUrl;
  server ??= startTestServer();
  return (await server).url;
}

let openDatabases = 0;
let isFileDone = false;
/** A database that a test never drops must not keep the file from ending. */
const leakTimeoutMs = 10_000;

async function stopUnusedServer(): Promise<void> {
  if (!isFileDone || openDatabases > 0 || server === undefined) return;
  const started = server;
  server = undefined;
  await (await started).stop();
}

// This hook is registered before those of the test file and so runs before them: the server then stays until the last
// database is dropped.
after(async () => {
  isFileDone = true;
  await stopUnusedServer();
  if (server === undefined) return;
  setTimeout(() => {
    const leaked = openDatabases;
    openDatabases = 0;
    void stopUnusedServer().then(() => assert.equal(leaked, 0, 'test databases were not dropped'));
  }, leakTimeoutMs).unref();
});

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Fails when a connection of the tests is still open. */
  drop(): Promise<void>;
}

/** A fresh database with the core's migrations applied: a clone of a template that is migrated once a server. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl = await useTestServer();
  const name = `test_${randomBytes(6).toString('hex')}`;
  const template = await ensureTemplate(adminUrl);
  await onServer(adminUrl, (client) => client.query(`create database ${name} template ${template}`));
  openDatabases += 1;
  return {
    url: toDatabaseUrl(adminUrl, name),
    name,
    async drop() {
      try {
        await onServer(adminUrl, async (client) => {
          const leaked = await findConnections(client, name);
          await client.query(`drop database if exists ${name} with (force)`);
          assert.deepEqual(leaked, [], `connections to database ${name} are still open`);
        });
      } finally {
        openDatabases -= 1;
        await stopUnusedServer();
      }
    },
  };
}

export interface DatabaseFixtureOptions {
  readonly plugins?: readonly ConnectionRequest[];
  readonly config?: Partial<Config>;
}

/** A fresh database and the core's pools on it; `stop()` checks for leaks. */
export async function createDatabaseFixture(options: DatabaseFixtureOptions = {}): Promise<{
  readonly database: Database;
  readonly config: Config;
  readonly telemetry: TestTelemetry;
  stop(): Promise<void>;
}> {
  const test = await createTestDatabase();
  const config = loadConfig({}, { dbPoolMin: 0, dbAcquireTimeoutMs: 10_000, ...options.config });
  const telemetry = recordTelemetry();
  const database = await createDatabase({ config, telemetry, url: test.url, plugins: options.plugins ?? [] });
  return {
    database,
    config,
    telemetry,
    async stop() {
      await database.stop();
      await test.drop();
    },
  };
}

const templateName = 'returnit_template';

async function ensureTemplate(adminUrl: string): Promise<string> {
  await onServer(adminUrl, async (client) => {
    // Several test files may share the server: the first makes the template, the others wait for it.
    await client.query(`select pg_advisory_lock(hashtext('${templateName}'))`);
    const found = await client.query({
      text: 'select from pg_database where datname = $1 and datistemplate',
      values: [templateName],
    });
    if (found.rowCount === 0) {
      await client.query(`drop database if exists ${templateName}`);
      await client.query(`create database ${templateName}`);
      await migrateTemplate(toDatabaseUrl(adminUrl, templateName));
      await client.query(`alter database ${templateName} is_template true`);
    }
  });
  return templateName;
}

async function migrateTemplate(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  await migrateCore(pool);
  await pool.end();
}

async function onServer(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** A closed connection's backend takes a moment to go, so what is open is asked until it is empty or a second is over. */
async function findConnections(client: pg.Client, database: string): Promise<string[]> {
  const deadline = performance.now() + 1000;
  for (;;) {
    const { rows } = await client.query<{ text: string }>({
      text: `select usename || ' / ' || application_name || ' / ' || state || ' / ' || left(query, 60) as text
        from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      values: [database],
    });
    if (rows.length === 0 || performance.now() > deadline) return rows.map((row) => row.text);
  }
}

function toDatabaseUrl(url: string, database: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${database}`;
  return parsed.href;
}
