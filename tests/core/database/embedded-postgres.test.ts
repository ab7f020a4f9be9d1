import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, describe, it } from 'node:test';
import * as pg from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#core/database/embedded-postgres.ts';
import { openCluster } from '#core/database/postgres-cluster.ts';
import { isAlive } from '#core/database/postmaster.ts';
import { Pool } from '#core/database/pool.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';

const root = mkdtempSync(join(tmpdir(), 'returnit-embedded-'));
after(() => rmSync(root, { recursive: true, force: true }));
const moduleUrl = new URL('../../../core/database/embedded-postgres.ts', import.meta.url).href;
const supportUrl = new URL('../../support/record-telemetry.ts', import.meta.url).href;

const start = (dataDir: string, telemetry = recordTelemetry()): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir, connectionsMax: 10, telemetry });

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'the condition was not met in time');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const noProc = existsSync('/proc/self/stat') ? false : 'processes are looked up in /proc';

describe('startEmbeddedPostgres()', () => {
  const dataDir = mkdtempSync(join(root, 'data-'));

  it('makes a cluster, and continues on it', async () => {
    const first = await start(dataDir);
    assert.match(String((await query(first.url, 'select version() as v'))[0]?.['v']), /^PostgreSQL 18/);
    assert.deepEqual(
      await query(
        first.url,
        "select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'listen_addresses') order by name",
      ),
      [
        { name: 'fsync', setting: 'on' },
        { name: 'full_page_writes', setting: 'on' },
        { name: 'listen_addresses', setting: '' },
      ],
    );
    assert.deepEqual(
      await query(
        first.url,
        `select datname, has_database_privilege('pg_monitor', oid, 'connect') as open
         from pg_database where datallowconn order by datname`,
      ),
      [
        { datname: 'returnit', open: true },
        { datname: 'template1', open: false },
      ],
    );
    await query(first.url, 'create table kept as select 42 as value');
    await first.stop();
    await first.stop();
    assert.equal(existsSync(join(dataDir, 'postgres', 'postmaster.pid')), false);
    assert.equal(statSync(join(dataDir, 'postgres.secret')).mode & 0o777, 0o600);
    const second = await start(dataDir);
    assert.deepEqual(await query(second.url, 'select value from kept'), [{ value: 42 }]);
    await assert.rejects(
      query(second.url.replace(/:[^:@]+@/, ':wrong@'), 'select 1'),
      /password authentication failed/,
    );
    await second.stop();
  });

  it('starts over a pid file whose process is not its Postgres', async () => {
    const file = join(dataDir, 'postgres', 'postmaster.pid');
    writeFileSync(file, `${process.pid}\n${join(dataDir, 'postgres')}\n`);
    const postgres = await start(dataDir);
    assert.equal(readFileSync(file, 'utf8').split('\n')[0], String(postgres.pid));
    await postgres.stop();
  });

  it('starts over the files of one that was killed and that nobody collected', { skip: noProc }, async () => {
    // Ends when the shell has become something that collects nobody.
    const collector = spawn('/bin/sh', ['-c', 'sleep 1 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const [text] = (await once(collector.stdout, 'data')) as [Buffer];
      const zombie = text.toString().trim();
      await waitUntil(() => /\) Z/.test(readFileSync(`/proc/${zombie}/stat`, 'utf8')));
      const dir = join(dataDir, 'postgres');
      writeFileSync(join(dir, 'postmaster.pid'), `${zombie}\n${dir}\n`);
      writeFileSync(join(dir, '.s.PGSQL.5432.lock'), `${zombie}\n${dir}\n`);
      const postgres = await start(dataDir);
      assert.deepEqual(await query(postgres.url, 'select value from kept'), [{ value: 42 }]);
      await postgres.stop();
    } finally {
      collector.kill('SIGKILL');
    }
  });

  it('waits for the backend that a killed postmaster left in the middle of a query', { skip: noProc }, async () => {
    const script = `
      import * as pg from 'pg';
      import { startEmbeddedPostgres } from '${moduleUrl}';
      import { recordTelemetry } from '${supportUrl}';
      const postgres = await startEmbeddedPostgres({ dataDir: '${dataDir}', connectionsMax: 10, telemetry: recordTelemetry() });
      const client = new pg.Client({ connectionString: postgres.url });
      await client.connect();
      const { rows } = await client.query('select pg_backend_pid() as pid');
      client.query('select count(*) from generate_series(1, 8000000)');
      setTimeout(() => console.log(postgres.pid + ' ' + rows[0].pid), 200);`;
    const core = spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [text] = (await once(core.stdout, 'data')) as [Buffer];
    const [postmaster = 0, backend = 0] = text.toString().trim().split(' ').map(Number);
    const exited = once(core, 'exit');
    core.kill('SIGSTOP');
    process.kill(postmaster, 'SIGKILL');
    core.kill('SIGKILL');
    await exited;
    assert.equal(isAlive(backend), true);
    const postgres = await start(dataDir);
    assert.equal(isAlive(backend), false);
    assert.deepEqual(await query(postgres.url, 'select value from kept'), [{ value: 42 }]);
    await postgres.stop();
  });

  it('starts Postgres again when it was killed, under load, and pools recover', async () => {
    const telemetry = recordTelemetry();
    const postgres = await start(dataDir, telemetry);
    const pool = new Pool({
      name: 'test',
      url: postgres.url,
      max: 4,
      idleTimeoutMs: 1000,
      acquireTimeoutMs: 5000,
      telemetry,
    });
    await pool.warm(4);
    let failed = 0;
    let isOver = false;
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) await pool.query('select pg_sleep(0.001)').catch(() => (failed += 1));
    });
    const { pid } = postgres;
    process.kill(pid, 'SIGKILL');
    await waitUntil(() => postgres.pid !== pid);
    isOver = true;
    await Promise.all(load);
    assert.ok(failed > 0);
    assert.deepEqual((await pool.query('select value from kept')).rows, [{ value: 42 }]);
    assert.match((await telemetry.metrics.render()).body, /returnit_postgres_restarts_total 1/);
    assert.ok(telemetry.lines.some((line) => line['msg'] === 'Embedded Postgres ended; starting it again'));
    await pool.stop(1000);
    await postgres.stop();
  });

  it('recovers from a core that was killed and left Postgres running', async () => {
    const script = `
      import { startEmbeddedPostgres } from '${moduleUrl}';
      import { recordTelemetry } from '${supportUrl}';
      const postgres = await startEmbeddedPostgres({ dataDir: '${dataDir}', connectionsMax: 10, telemetry: recordTelemetry() });
      console.log('pid ' + postgres.pid);`;
    const core = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [text] = (await once(core.stdout, 'data')) as [Buffer];
    const orphan = Number(/pid (\d+)/.exec(text.toString())?.[1]);
    const exited = once(core, 'exit');
    core.kill('SIGKILL');
    await exited;
    assert.equal(isAlive(orphan), true);
    const postgres = await start(dataDir);
    assert.notEqual(postgres.pid, orphan);
    assert.equal(isAlive(orphan), false);
    assert.deepEqual(await query(postgres.url, 'select value from kept'), [{ value: 42 }]);
    await postgres.stop();
  });

  it('makes a cluster in a folder that is named relatively, as the default is', async () => {
    const folder = mkdtempSync(join(root, 'relative-'));
    const { dir } = await openCluster(relative(process.cwd(), folder));
    assert.equal(dir, join(folder, 'postgres'));
    assert.ok(existsSync(join(dir, 'PG_VERSION')));
  });

  it('recovers from a core that was killed during initdb', async () => {
    const half = mkdtempSync(join(root, 'half-'));
    const script = `
      import { startEmbeddedPostgres } from '${moduleUrl}';
      import { recordTelemetry } from '${supportUrl}';
      await startEmbeddedPostgres({ dataDir: '${half}', connectionsMax: 10, telemetry: recordTelemetry() });`;
    const core = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    await waitUntil(() => readdirSync(half).some((name) => existsSync(join(half, name, 'PG_VERSION'))));
    const exited = once(core, 'exit');
    core.kill('SIGKILL');
    await exited;
    assert.equal(existsSync(join(half, 'postgres')), false);
    const postgres = await start(half);
    assert.equal((await query(postgres.url, 'select 1 as one')).length, 1);
    await postgres.stop();
  });

  it('finds a short path for its socket when the data folder has a long one', async () => {
    const long = join(mkdtempSync(join(root, 'long-')), 'x'.repeat(100));
    mkdirSync(long);
    const postgres = await start(long);
    assert.equal((await query(postgres.url, 'select 1 as one')).length, 1);
    await postgres.stop();
  });

  it(
    'runs as root in a folder that only root may enter',
    { skip: process.getuid?.() === 0 ? false : 'needs root' },
    async () => {
      const closed = mkdtempSync(join(root, 'closed-'));
      const inner = join(closed, 'data');
      mkdirSync(inner);
      const postgres = await start(inner);
      assert.notEqual(statSync(join(inner, 'postgres')).uid, 0);
      assert.equal((await query(postgres.url, 'select 1 as one')).length, 1);
      await postgres.stop();
    },
  );

  it('refuses a cluster of another version, and says so', async () => {
    const other = mkdtempSync(join(root, 'other-'));
    mkdirSync(join(other, 'postgres'));
    writeFileSync(join(other, 'postgres', 'PG_VERSION'), '17\n');
    writeFileSync(join(other, 'postgres.secret'), 'x\n');
    await assert.rejects(start(other), /was made by Postgres 17/);
  });
});
