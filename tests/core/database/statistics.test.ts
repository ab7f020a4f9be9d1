import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as pg from 'pg';
import { loadConfig } from '#core/config/config.ts';
import { createDatabase } from '#core/database/database.ts';
import { migrateCore } from '#core/database/migrations.ts';
import { grantStatement, prepareMonitor, toMonitorUrl } from '#core/database/monitor-role.ts';
import { toPluginUrl } from '#core/database/database-url.ts';
import { preparePlugins } from '#core/database/plugin-roles.ts';
import { startStatistics, type Statistics } from '#core/database/statistics/statistics-collector.ts';
import { startTestServer } from '../../support/test-server.ts';
import { readSample } from '../../support/platform.ts';
import { createDatabaseFixture } from '../../support/postgres.ts';
import { recordTelemetry, type TestTelemetry } from '../../support/record-telemetry.ts';
import { until } from '../../support/until.ts';

type Fixture = Awaited<ReturnType<typeof createDatabaseFixture>>;

interface Measured extends Fixture {
  readonly statistics: Statistics;
  /** Reads now; the value of a metric of this name, without `returnit_postgres_`. */
  sample(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  page(): Promise<string>;
  /** Somebody else's session: the core's role's, or a plugin's. */
  connect(plugin?: string): Promise<pg.Client>;
}

const orders = { name: 'orders', migrationsDir: '/nonexistent', publishes: [], reads: [] };

/** The statistics of a database with the plugin `orders`, read when the test says so. */
async function measured(work: (fixture: Measured) => Promise<void>): Promise<void> {
  const fixture = await createDatabaseFixture({
    plugins: [orders],
    config: { dbStatisticsIntervalMs: 3_600_000, dbStatisticsTop: 3 },
  });
  const { database, telemetry, config } = fixture;
  await preparePlugins(database, [orders], { config });
  assert.equal(await prepareMonitor(database), true);
  const clients: pg.Client[] = [];
  const statistics = startStatistics({ database, plugins: ['orders'], telemetry, config });
  const page = async (): Promise<string> => (await telemetry.metrics.render()).body;
  try {
    await work({
      ...fixture,
      statistics,
      page,
      async sample(name, labels = {}) {
        await statistics.readNow();
        await statistics.readNow();
        return readSample(await page(), `returnit_postgres_${name}`, labels);
      },
      async connect(plugin) {
        const connectionString = plugin === undefined ? database.url : toPluginUrl(database.url, plugin);
        const client = new pg.Client({ connectionString });
        client.on('error', () => {});
        await client.connect();
        clients.push(client);
        return client;
      },
    });
  } finally {
    await Promise.all(clients.map((client) => client.end()));
    await statistics.stop();
    await fixture.stop();
  }
}

const errorsOf = ({ lines }: TestTelemetry) => lines.filter(({ component }) => component === 'statistics');

describe('startStatistics()', () => {
  it('reads everything without an error, and says how long it took', () =>
    measured(async ({ sample, telemetry, page }) => {
      for (const reading of ['activity', 'database', 'locks', 'replication', 'tables', 'indexes', 'statements']) {
        assert.ok((await sample('reads_total', { reading, outcome: 'ok' })) > 0, reading);
        assert.equal(await sample('reads_total', { reading, outcome: 'error' }), 0, reading);
        assert.ok((await sample('read_seconds_total', { reading })) > 0, reading);
      }
      assert.deepEqual(errorsOf(telemetry), []);
      assert.ok((await sample('last_read_timestamp_seconds')) > Date.now() / 1000 - 60);
      assert.ok((await sample('connections_max')) > 100);
      assert.equal(await sample('connections_reserved'), 3);
      assert.ok((await sample('database_size_bytes')) > 1e6);
      assert.ok((await sample('transaction_id_age', { kind: 'transaction' })) > 0);
      // Without replicas there is no lag, and no series that says 0.
      assert.doesNotMatch(await page(), /^returnit_postgres_replication_lag/m);
    }));

  it('shows a transaction that is left open, by whose it is', () =>
    measured(async ({ sample, connect }) => {
      const client = await connect('orders');
      await client.query('begin');
      await client.query('select pg_sleep(0.05)');
      const idle = { state: 'idle in transaction', wait: 'Client' };
      await until('it is idle', async () => (await sample('connections', idle)) === 1);
      assert.ok((await sample('transaction_age_seconds', { plugin: 'orders' })) > 0.05);
      assert.ok((await sample('idle_in_transaction_age_seconds', { plugin: 'orders' })) > 0);
      assert.equal(await sample('transaction_age_seconds', { plugin: 'core' }), 0);
      await client.query('commit');
      assert.equal(await sample('transaction_age_seconds', { plugin: 'orders' }), 0);
      assert.equal(await sample('idle_in_transaction_age_seconds', { plugin: 'orders' }), 0);
    }));

  it('shows who waits for a lock, and keeps the sizes of what is locked', () =>
    measured(async ({ sample, connect, telemetry }) => {
      const [holder, waiter] = [await connect('orders'), await connect('orders')];
      await holder.query('create table orders.parcel (id int primary key)');
      const parcel = { schema: 'orders', table: 'parcel' };
      await holder.query('insert into orders.parcel values (1)');
      assert.ok((await sample('table_size_bytes', parcel)) > 0);
      await holder.query('begin');
      await holder.query('lock table orders.parcel in access exclusive mode');
      const waiting = waiter.query('select from orders.parcel');
      // It fails when the test does.
      waiting.catch(() => {});
      await until('it waits', async () => (await sample('locks_waiting', { plugin: 'orders' })) === 1);
      assert.ok((await sample('lock_wait_age_seconds', { plugin: 'orders' })) > 0);
      assert.ok((await sample('reads_total', { reading: 'tables', outcome: 'error' })) > 0);
      assert.ok((await sample('table_size_bytes', parcel)) > 0);
      assert.ok((await sample('index_size_bytes', { ...parcel, index: 'parcel_pkey' })) > 0);
      await holder.query('commit');
      await waiting;
      assert.equal(await sample('locks_waiting', { plugin: 'orders' }), 0);
      assert.deepEqual(
        errorsOf(telemetry).map(({ msg }) => msg),
        ['Cannot read the statistics of Postgres', 'The statistics of Postgres can be read again'],
      );
    }));

  it('counts deadlocks and temporary files', () =>
    measured(async ({ sample, connect }) => {
      const [left, right] = [await connect('orders'), await connect('orders')];
      await left.query('create table orders.place (id int); insert into orders.place values (1), (2)');
      await sample('deadlocks_total');
      await left.query('begin; update orders.place set id = id where id = 1');
      await right.query('begin; update orders.place set id = id where id = 2');
      const outcomes = await Promise.allSettled([
        left.query('update orders.place set id = id where id = 2'),
        right.query('update orders.place set id = id where id = 1'),
      ]);
      assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1);
      await Promise.all([left.query('rollback'), right.query('rollback')]);
      await left.query(
        "set work_mem = '64kB'; select count(*) from (select g from generate_series(1, 50000) g order by -g)",
      );
      await until('the deadlock is counted', async () => (await sample('deadlocks_total')) === 1);
      await until('files are counted', async () => (await sample('temp_bytes_total')) > 0);
      assert.ok((await sample('blocks_total', { source: 'cache' })) > 0);
      assert.ok((await sample('wal_bytes_total')) > 0);
      assert.ok((await sample('transactions_total', { outcome: 'rollback' })) > 0);
    }));

  it('shows dead rows and what vacuum did, partitions with their parent, and the largest of a schema alone', () =>
    measured(async ({ sample, connect, page }) => {
      const client = await connect('orders');
      await client.query(`
        create table orders.ping (day int, note text) partition by range (day);
        create table orders.ping_1 partition of orders.ping for values from (1) to (2);
        create table orders.ping_2 partition of orders.ping for values from (2) to (3);
        create index ping_day on orders.ping (day);
        alter table orders.ping_1 set (autovacuum_enabled = off, autovacuum_vacuum_threshold = 10, autovacuum_vacuum_scale_factor = 0);
        alter table orders.ping_2 set (autovacuum_enabled = off);
        insert into orders.ping select 1 + g % 2, repeat('x', 100) from generate_series(1, 400) g;
        delete from orders.ping where day = 1;
        create table orders.a (id int); create table orders.b (id int); create table orders.c (id int)`);
      const dead = { schema: 'orders', table: 'ping', state: 'dead' };
      await until('they are seen to be dead', async () => (await sample('table_rows', dead)) === 200);
      assert.equal(await sample('table_rows', { ...dead, state: 'live' }), 200);
      assert.equal(await sample('table_vacuum_due_ratio', { schema: 'orders', table: 'ping' }), 20);
      const size = await sample('table_size_bytes', { schema: 'orders', table: 'ping' });
      assert.ok(size >= 6 * 8192, `${size}`);
      assert.ok((await sample('index_size_bytes', { schema: 'orders', table: 'ping', index: 'ping_day' })) >= 32_768);
      assert.ok((await sample('schema_size_bytes', { schema: 'orders' })) > size);
      const text = await page();
      assert.doesNotMatch(text, /table="ping_1"/);
      assert.equal(text.match(/^returnit_postgres_table_size_bytes\{schema="orders"/gm)?.length, 3);
      assert.doesNotMatch(text, /returnit_postgres_table_maintained_timestamp_seconds\{schema="orders"/);
      await client.query('vacuum orders.ping');
      await client.query('analyze orders.ping');
      await until('it is vacuumed', async () => (await sample('table_rows', dead)) === 0);
      for (const operation of ['vacuum', 'analyze']) {
        const labels = { schema: 'orders', table: 'ping', operation };
        assert.ok((await sample('table_maintained_timestamp_seconds', labels)) > Date.now() / 1000 - 60, operation);
      }
    }));

  it('counts statements by whose they are, and the longest by their ids, never by their text', () =>
    measured(async ({ sample, connect, page, database }) => {
      const client = await connect('orders');
      await sample('statement_calls_total');
      for (let index = 0; index < 3; index += 1) await client.query("select pg_sleep(0.02), 'secret-text'");
      await sample('statement_calls_total');
      for (let index = 0; index < 5; index += 1) await client.query("select pg_sleep(0.02), 'secret-text'");
      assert.equal(await sample('statement_calls_total', { plugin: 'orders' }), 5);
      assert.ok((await sample('statement_seconds_total', { plugin: 'orders' })) >= 0.1);
      const { rows } = await database.admin.query<{ id: string }>(
        `select queryid::text as id from returnit.pg_stat_statements where query like 'select pg_sleep%'
          and userid = 'returnit_orders'::regrole and dbid = (select oid from pg_database where datname = current_database())`,
      );
      assert.equal(rows.length, 1);
      const labels = { plugin: 'orders', query_id: rows[0]?.id ?? '' };
      assert.equal(await sample('top_statement_calls_total', labels), 5);
      const text = await page();
      assert.ok((text.match(/^returnit_postgres_top_statement_calls_total/gm)?.length ?? 0) <= 3);
      assert.doesNotMatch(text, /secret-text|pg_sleep/);
    }));

  it('reads on one node at a time, and on another when that one goes', () =>
    measured(async ({ statistics, database, config, sample }) => {
      assert.ok((await sample('connections_max')) > 0);
      const telemetry = recordTelemetry();
      const other = startStatistics({ database, plugins: ['orders'], telemetry, config });
      const seen = async (): Promise<number> => {
        await other.readNow();
        return readSample((await telemetry.metrics.render()).body, 'returnit_postgres_connections_max', {});
      };
      try {
        assert.equal(await seen(), 0);
        assert.equal(await seen(), 0);
        await statistics.stop();
        assert.equal(await sample('connections_max'), 0, 'what is not read any more is not shown');
        await until('the other reads', async () => (await seen()) > 0);
      } finally {
        await other.stop();
      }
    }));

  it('goes on after its connection is lost', () =>
    measured(async ({ sample, database }) => {
      assert.ok((await sample('connections_max')) > 0);
      await database.admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'returnit statistics' and datname = current_database()`,
      );
      await until('it reads again', async () => (await sample('connections_max')) > 0);
    }));

  it('does not read without its grant, and says what to do', async () => {
    // Roles are the server's: on that of all tests this one would be taken from others.
    const server = await startTestServer();
    const telemetry = recordTelemetry();
    const config = loadConfig({}, { dbPoolMin: 0 });
    const superuser = new pg.Client({ connectionString: server.url });
    await superuser.connect();
    await superuser.query("create role operator login createrole password 'pass'");
    await superuser.query('create database platform owner operator');
    const url = new URL(server.url);
    [url.username, url.password, url.pathname] = ['operator', 'pass', '/platform'];
    const database = await createDatabase({ config, telemetry, url: url.href });
    try {
      await migrateCore(database.admin);
      assert.equal(await prepareMonitor(database), false);
      const blind = startStatistics({ database, plugins: [], telemetry, config });
      await blind.readNow();
      await blind.stop();
      assert.match(
        String(errorsOf(telemetry)[0]?.['problem']),
        /role returnit_monitor sees too little; as a superuser: grant pg_read_all_stats to returnit_monitor/,
      );
      const { body } = await telemetry.metrics.render();
      assert.equal(readSample(body, 'returnit_postgres_reads_total', { reading: 'activity', outcome: 'error' }), 1);
      await superuser.query(grantStatement);
      assert.equal(await prepareMonitor(database), true);
    } finally {
      await superuser.end();
      await database.stop();
      await server.stop();
    }
  });
});

describe('the role that measures', () => {
  it('reads no rows, writes nothing, and is bounded in time', () =>
    measured(async ({ database, connect }) => {
      const owner = await connect('orders');
      await owner.query('create table orders.parcel (id int)');
      const client = new pg.Client({ connectionString: toMonitorUrl(database.url) });
      await client.connect();
      await assert.rejects(client.query('select from orders.parcel'), { code: '42501' });
      await assert.rejects(client.query('select from returnit.outbox'), { code: '42501' });
      await assert.rejects(client.query('create table public.mine (id int)'), { code: '25006' });
      await client.query('set default_transaction_read_only = off');
      await assert.rejects(client.query('create table public.mine (id int)'), { code: '42501' });
      const { rows } = await client.query<Record<string, string | boolean>>(
        `select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
          current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock
          from pg_roles where rolname = current_user`,
      );
      assert.deepEqual(rows[0], {
        rolsuper: false,
        rolcreaterole: false,
        rolcreatedb: false,
        rolreplication: false,
        rolbypassrls: false,
        statement: '5s',
        lock: '500ms',
      });
      await client.end();
      await assert.rejects(owner.query('select from returnit.pg_stat_statements'), { code: '42501' });
    }));
});
