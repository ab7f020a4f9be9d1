import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { divideConnections } from '#core/database/connection-budget.ts';
import { createDatabase } from '#core/database/database.ts';
import { migrateCore } from '#core/database/migrations.ts';
import { preparePlugins } from '#core/database/plugin-roles.ts';
import { Pool } from '#core/database/pool.ts';
import type { AppError } from '#core/errors/app-error.ts';
import { createDatabaseFixture, useTestServer } from '../../support/postgres.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';

const telemetry = recordTelemetry();

describe('divideConnections()', () => {
  it('gives what is asked for and the rest to the core', () => {
    const shares = divideConnections(50, [{ name: 'a', connections: 10 }, { name: 'b' }]);
    assert.deepEqual([shares.core, shares.plugins.get('a'), shares.plugins.get('b')], [35, 10, 5]);
  });

  it('cuts in proportion and never divides more than there is', () => {
    for (let total = 10; total <= 120; total += 1) {
      const shares = divideConnections(total, [
        { name: 'a', connections: 100 },
        { name: 'b', connections: 10 },
        { name: 'c', connections: 1 },
      ]);
      const sum = shares.core + [...shares.plugins.values()].reduce((left, right) => left + right, 0);
      assert.equal(sum, total);
      assert.ok(shares.core >= 4 && [...shares.plugins.values()].every((share) => share >= 2));
    }
  });

  it('says how many would be enough', () => {
    const plugins = Array.from({ length: 8 }, (_, index) => ({ name: `p${index}` }));
    assert.throws(() => divideConnections(10, plugins), /8 plugins need at least 20/);
    assert.doesNotThrow(() => divideConnections(20, plugins));
  });
});

describe('createDatabase()', () => {
  it('warms the minimum and reports each pool', async () => {
    const fixture = await createDatabaseFixture({
      plugins: [{ name: 'orders', connections: 3 }],
      config: { dbPoolMin: 4 },
    });
    assert.equal(fixture.database.admin.totalCount, 4);
    await fixture.database.admin.query('select 1');
    const { body } = await fixture.telemetry.metrics.render();
    for (const line of [
      'db_client_connections{db_client_connection_pool_name="core",db_client_connection_state="idle"} 4',
      'db_client_connections{db_client_connection_pool_name="core",db_client_connection_state="used"} 0',
      'db_client_connection_max{db_client_connection_pool_name="core"} 47',
      'db_client_connection_max{db_client_connection_pool_name="orders"} 3',
      'db_client_connection_idle_min{db_client_connection_pool_name="core"} 4',
      'db_client_connection_pending_requests{db_client_connection_pool_name="core"} 0',
      'db_client_connection_timeouts_total{db_client_connection_pool_name="core"} 0',
      'db_client_connection_create_time_seconds_count{db_client_connection_pool_name="core"} 4',
      'db_client_connection_wait_time_seconds_count{db_client_connection_pool_name="core"} 5',
      'db_client_connection_use_time_seconds_count{db_client_connection_pool_name="core"} 5',
    ]) {
      assert.ok(body.includes(`${line}\n`), `${line}\n${body}`);
    }
    await fixture.stop();
  });

  it('tells who waits too long, and counts it', async () => {
    const url = await useTestServer();
    const pool = new Pool({ name: 'small', url, max: 1, idleTimeoutMs: 1000, acquireTimeoutMs: 1500, telemetry });
    const held = await pool.connect();
    await assert.rejects(pool.query('select 1'), { code: 'OVERLOADED', message: /none of 1 was free within 1500 ms/ });
    held.release();
    assert.match(
      (await telemetry.metrics.render()).body,
      /db_client_connection_timeouts_total\{db_client_connection_pool_name="small"\} 1/,
    );
    await pool.stop(1000);
  });

  it('survives the loss of idle and held connections', async () => {
    const fixture = await createDatabaseFixture({ config: { dbPoolMin: 2 } });
    const { admin } = fixture.database;
    const held = await admin.connect();
    const lost = new Promise<void>((resolve) => held.once('end', () => resolve()));
    await admin.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await lost;
    await assert.rejects(held.query('select 1'));
    held.release();
    assert.equal((await admin.query('select 1 as one')).rows.length, 1);
    await fixture.stop();
  });

  it('names the address and the reason, never the password', async () => {
    const config = loadConfig({});
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    await assert.rejects(
      createDatabase({ config, telemetry, url: `postgres://u:topsecret@127.0.0.1:${port}/d` }),
      (error: AppError) => {
        assert.equal(error.code, 'DATABASE_UNREACHABLE');
        assert.match(error.message, new RegExp(`Cannot reach the database at 127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`));
        assert.doesNotMatch(error.message, /topsecret/);
        return true;
      },
    );
    const wrong = new URL(await useTestServer());
    wrong.password = 'topsecret';
    await assert.rejects(createDatabase({ config, telemetry, url: wrong.href }), (error: AppError) => {
      assert.match(error.message, /password authentication failed/);
      assert.doesNotMatch(error.message, /topsecret/);
      return true;
    });
  });

  it('refuses a budget that the server cannot give', async () => {
    const url = await useTestServer();
    await assert.rejects(createDatabase({ config: loadConfig({}, { dbPoolMax: 900 }), telemetry, url }), {
      code: 'INVALID_CONFIG',
      message:
        /Cannot use DB_POOL_MAX=900: the database server gives at most \d+ \(max_connections \d+, 3 of them reserved, 2 for notifications and statistics\)/,
    });
  });
});

const debianBin = '/usr/lib/postgresql/15/bin';
const skip = existsSync(debianBin) || process.env['CI'] === 'true' ? false : `Postgres 15 is not at ${debianBin}`;

describe('an external Postgres 15', { skip }, () => {
  it('serves the core and its plugins', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'returnit-pg15-'));
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith('postgres:'))
      ?.split(':');
    const ids = process.getuid?.() === 0 ? { uid: Number(line?.[2]), gid: Number(line?.[3]) } : {};
    if (ids.uid !== undefined && ids.gid !== undefined) chownSync(dir, ids.uid, ids.gid);
    const data = join(dir, 'data');
    execFileSync(join(debianBin, 'initdb'), ['-D', data, '-U', 'admin', '--auth=trust', '--no-sync'], {
      ...ids,
      cwd: '/',
      stdio: 'ignore',
    });
    const server = spawn(join(debianBin, 'postgres'), ['-D', data, '-k', dir, '-c', 'listen_addresses='], {
      ...ids,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const exited = once(server, 'exit');
    try {
      let log = '';
      for await (const chunk of server.stderr) {
        log += String(chunk);
        if (log.includes('ready to accept connections')) break;
      }
      const url = `postgres://admin:secret@${encodeURIComponent(dir)}:5432/postgres`;
      const config = loadConfig({}, { dbPoolMin: 0 });
      const database = await createDatabase({ config, telemetry, url, plugins: [{ name: 'orders' }] });
      assert.equal(database.server.version, 15);
      await migrateCore(database.admin);
      await preparePlugins(database, [{ name: 'orders', migrationsDir: join(dir, 'none'), publishes: [], reads: [] }], {
        config,
      });
      const client = await database.pluginPool('orders').connect();
      assert.deepEqual((await client.query('select current_schema as name')).rows, [{ name: 'orders' }]);
      client.release();
      await database.stop();
    } finally {
      server.kill('SIGQUIT');
      await exited;
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
