import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { trace } from '@opentelemetry/api';
import { Pool } from '#core/database/pool.ts';
import { preparePlugins } from '#core/database/plugin-roles.ts';
import { createTransactions, type Transactions } from '#core/database/transactions.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Call } from '#core/plugin-host/capability.ts';
import { createDbCapability } from '#core/plugin-host/capabilities/db.ts';
import { createDatabaseFixture } from '../../../support/postgres.ts';

interface Fixture extends Awaited<ReturnType<typeof createDatabaseFixture>> {
  readonly transactions: Transactions;
  run(
    method: 'query' | 'begin' | 'commit' | 'rollback',
    args: object,
    options?: { signal?: AbortSignal; instance?: PluginInstance },
    // oxlint-disable-next-line typescript/no-explicit-any -- what comes back crossed a process boundary: each test says what it expects
  ): Promise<any>;
}

function createInstance(name: string): PluginInstance & { leave(): void } {
  const gone = new AbortController();
  return {
    plugin: { name, version: '1.0.0' },
    id: `${name}-1`,
    gone: gone.signal,
    leave: () => gone.abort(new AppError('PLUGIN_UNAVAILABLE', 'The process is gone')),
    handle: () => Promise.reject(new Error('this instance has no handlers')),
  };
}

const orders = createInstance('orders');
const dir = mkdtempSync(join(tmpdir(), 'returnit-migrations-'));
let fixture: Fixture;

before(async () => {
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
  const capability = createDbCapability({ ...base, transactions });
  const span = trace.getTracer('test').startSpan('test');
  fixture = {
    ...base,
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
  };
});

after(async () => {
  await fixture.transactions.stop();
  await fixture.stop();
  rmSync(dir, { recursive: true, force: true });
});

const sql = (text: string, values: unknown[] = [], tx?: string, name = 'test'): object => ({
  statement: { name, text },
  values,
  ...(tx === undefined ? {} : { tx }),
});

/** Statements of the plugin that run on the server now. */
async function countActive(): Promise<number> {
  const { rows } = await fixture.database.admin.query({
    text: "select count(*)::int as count from pg_stat_activity where usename = 'returnit_orders' and (state = 'active' or state like 'idle in%') and datname = current_database()",
  });
  return (rows[0] as { count: number }).count;
}

async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!(await condition())) assert.ok(performance.now() < deadline, 'the condition was not met in time');
}

describe('db.query', () => {
  it('returns rows as JSON keeps them', async () => {
    const text = "insert into item values ($1, $2, '2026-01-02 03:04:05+01', 9007199254740993, '\\x0001') returning *";
    const result = await fixture.run('query', sql(text, [1, 'a'], undefined, 'insert-item'));
    assert.deepEqual(result, {
      rows: [{ id: 1, name: 'a', at: '2026-01-02T02:04:05.000Z', big: '9007199254740993', raw: 'AAE=' }],
      rowCount: 1,
    });
  });

  it('takes arrays, objects and null as parameters', async () => {
    const result = await fixture.run(
      'query',
      sql(
        'select $1::text[] as a, $2::jsonb as b, $3::text as c',
        [['x', 'y'], { k: 1 }, null],
        undefined,
        'parameters',
      ),
    );
    assert.deepEqual(result.rows, [{ a: ['x', 'y'], b: { k: 1 }, c: null }]);
  });

  it('tells the SQLSTATE and the constraint, and shows no row', async () => {
    await assert.rejects(fixture.run('query', sql("insert into item values (2, 'a')")), (error: AppError) => {
      assert.equal(error.code, 'DATABASE_ERROR');
      assert.deepEqual(error.details, { sqlstate: '23505', constraint: 'item_name_key', table: 'item' });
      assert.equal(error.cause, undefined);
      return true;
    });
    await assert.rejects(fixture.run('query', sql('select $1::uuid', ['52.52 13.40'])), (error: AppError) => {
      assert.equal(error.details['sqlstate'], '22P02');
      assert.doesNotMatch(error.message, /52\.52/);
      return true;
    });
  });

  it('refuses several statements, transaction control and settings that hold the plugin', async () => {
    await assert.rejects(
      fixture.run('query', sql('select 1; select 2', [], undefined, 'several')),
      /multiple commands/,
    );
    for (const text of [
      'begin',
      ' /* a /* b */ */ Commit',
      '-- x\nrollback',
      'savepoint a',
      "prepare transaction 'x'",
      'set role x',
      'set search_path = public',
      'reset role',
      'set local statement_timeout = 0',
      'set session authorization x',
      'copy item to stdout',
      'listen x',
      'discard all',
    ]) {
      await assert.rejects(fixture.run('query', sql(text)), (error: AppError) => error.code === 'INVALID_CALL', text);
    }
  });

  it('stops at the row limit, on the server too, and keeps the connection', async () => {
    await assert.rejects(
      fixture.run('query', sql('select generate_series(1, 100000000)', [], undefined, 'many')),
      (error: AppError) => {
        assert.equal(error.code, 'BUDGET_EXCEEDED');
        assert.match(error.message, /more than 100 rows/);
        return true;
      },
    );
    assert.equal(
      (await fixture.run('query', sql('select generate_series(1, 100)', [], undefined, 'hundred'))).rowCount,
      100,
    );
    assert.equal(await countActive(), 0);
  });

  it('refuses a result that is larger than a frame', async () => {
    await assert.rejects(
      fixture.run('query', sql("select repeat('x', 15000) from generate_series(1, 50)", [], undefined, 'large')),
      /larger than 18976 bytes/,
    );
    await assert.rejects(
      fixture.run('query', sql("select repeat(E'\\x01', 5000) as a", [], undefined, 'escapes')),
      /is 30\d\d\d bytes, the limit is/,
    );
    assert.equal((await fixture.run('query', sql('select 1 as one', [], undefined, 'one'))).rowCount, 1);
  });

  it('ends the statement on the server at the deadline, even one that catches cancellations', async () => {
    const deadline = new AbortController();
    const text =
      'do $$ begin loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop; end $$';
    const running = fixture.run('query', sql(text, [], undefined, 'loop'), { signal: deadline.signal });
    await waitUntil(async () => (await countActive()) === 1);
    deadline.abort(new AppError('TIMEOUT', 'Cannot finish db.query'));
    await assert.rejects(running, (error: AppError) => error.code === 'TIMEOUT');
    await waitUntil(async () => (await countActive()) === 0);
  });

  it('measures by statement name and SQLSTATE class', async () => {
    const { body } = await fixture.telemetry.metrics.render();
    assert.match(
      body,
      /db_client_operation_duration_seconds_count\{[^}]*db_operation_name="INSERT",db_query_summary="insert-item"/,
    );
    assert.match(body, /db_client_operation_duration_seconds_count\{[^}]*error_type="23"/);
  });

  it('runs a name with a second text unprepared', async () => {
    assert.equal((await fixture.run('query', sql('select 1 as n', [], undefined, 'same'))).rows[0].n, 1);
    assert.equal((await fixture.run('query', sql('select 2 as n', [], undefined, 'same'))).rows[0].n, 2);
  });
});

describe('db.begin, db.commit, db.rollback', () => {
  const begin = async (instance: PluginInstance = orders): Promise<string> =>
    (await fixture.run('begin', {}, { instance })).tx;
  const count = async (id: number): Promise<number> =>
    (await fixture.run('query', sql('select count(*)::int as n from item where id = $1', [id], undefined, 'count')))
      .rows[0].n;

  it('commits and rolls back', async () => {
    const first = await begin();
    await fixture.run('query', sql("insert into item values (10, 'ten')", [], first));
    assert.equal(await count(10), 0);
    await fixture.run('commit', { tx: first });
    assert.equal(await count(10), 1);
    const second = await begin();
    await fixture.run('query', sql('delete from item where id = 10', [], second, 'delete'));
    await fixture.run('rollback', { tx: second });
    assert.equal(await count(10), 1);
    await assert.rejects(fixture.run('commit', { tx: second }), /Cannot use the transaction: it is rolled back/);
  });

  it('says that a transaction with a failed statement was not committed', async () => {
    const tx = await begin();
    await assert.rejects(fixture.run('query', sql('select 1/0', [], tx, 'zero')), /division by zero/);
    await assert.rejects(fixture.run('commit', { tx }), (error: AppError) => error.details['sqlstate'] === '25P02');
  });

  it('belongs to one process', async () => {
    const tx = await begin();
    const other = createInstance('orders');
    await assert.rejects(
      fixture.run('query', sql('select 1', [], tx), { instance: other }),
      (error: AppError) => error.code === 'INVALID_CALL',
    );
    await assert.rejects(
      fixture.run('commit', { tx }, { instance: other }),
      (error: AppError) => error.code === 'INVALID_CALL',
    );
    await fixture.run('rollback', { tx });
  });

  it('runs calls one at a time in their order', async () => {
    const tx = await begin();
    const results = await Promise.all(
      [1, 2, 3].map((n) => fixture.run('query', sql('select $1::int as n', [n], tx, 'number'))),
    );
    assert.deepEqual(
      results.map((result) => result.rows[0].n),
      [1, 2, 3],
    );
    await fixture.run('commit', { tx });
  });

  it('rolls back when the process is gone, in the middle of a statement too', async () => {
    const instance = createInstance('orders');
    const idle = await begin(instance);
    const busy = await begin(instance);
    await fixture.run('query', sql("insert into item values (20, 'twenty')", [], idle), { instance });
    const running = fixture.run('query', sql('select pg_sleep(60)', [], busy, 'sleep'), { instance });
    await waitUntil(async () => (await countActive()) === 2);
    instance.leave();
    await assert.rejects(running, /the process of the plugin is gone/);
    await waitUntil(async () => (await countActive()) === 0);
    assert.equal(await count(20), 0);
  });

  it('ends at its deadline', async () => {
    const tx = await fixture.transactions.begin(orders, { timeoutMs: 50 });
    await assert.rejects(
      fixture.run('query', sql('select pg_sleep(60)', [], tx, 'sleep')),
      /open for longer than 50 ms/,
    );
    await waitUntil(async () => (await countActive()) === 0);
  });

  it('leaves a connection for queries, and lets further transactions wait', async () => {
    const open = [await begin(), await begin()];
    const third = begin();
    assert.equal((await fixture.run('query', sql('select 1 as n', [], undefined, 'one'))).rowCount, 1);
    await fixture.run('rollback', { tx: open[0] });
    await fixture.run('rollback', { tx: await third });
    await fixture.run('rollback', { tx: open[1] });
    const { body } = await fixture.telemetry.metrics.render();
    assert.match(body, /returnit_db_transactions_open\{plugin="orders"\} 0/);
    assert.match(body, /returnit_db_transactions_total\{plugin="orders",outcome="abandoned"\} 3/);
  });
});

describe('a database that goes away', () => {
  const away = { code: 'DATABASE_UNREACHABLE' };
  const terminate = async (pid: unknown): Promise<void> => {
    await fixture.database.admin.query({ text: 'select pg_terminate_backend($1)', values: [pid] });
  };

  it('is told as such by the statement that it cuts off', async () => {
    const pending = fixture.run('query', sql('select pg_sleep(60)'));
    const failed = assert.rejects(pending, { ...away, details: { sqlstate: '57P01' } });
    await waitUntil(async () => (await countActive()) === 1);
    const { rows } = await fixture.database.admin.query({
      text: "select pid from pg_stat_activity where usename = 'returnit_orders' and state = 'active' and datname = current_database()",
    });
    await terminate((rows[0] as { pid: number }).pid);
    await failed;
    assert.equal((await fixture.run('query', sql('select 1 as one'))).rowCount, 1);
  });

  it('is told as such by what follows in a transaction', async () => {
    const { tx } = await fixture.run('begin', {});
    const { rows } = await fixture.run('query', sql('select pg_backend_pid() as pid', [], tx));
    await terminate(rows[0].pid);
    await waitUntil(async () =>
      fixture.run('query', sql('select 1', [], tx)).then(
        () => false,
        () => true,
      ),
    );
    await assert.rejects(fixture.run('query', sql('select 1', [], tx)), away);
    await assert.rejects(fixture.run('commit', { tx }), away);
  });

  it('is told as such when no connection can be opened', async () => {
    const url = fixture.database.url.replace(/@[^/]+/, '@127.0.0.1:1').replace(/\?.*$/, '');
    const pool = new Pool({
      name: 'orders',
      url,
      max: 2,
      idleTimeoutMs: 1000,
      acquireTimeoutMs: 5000,
      telemetry: fixture.telemetry,
    });
    const database = { ...fixture.database, pluginPool: () => Object.assign(pool, { plugin: 'orders' }) };
    const transactions = createTransactions({ ...fixture, database });
    await assert.rejects(transactions.begin(orders), away);
    await pool.stop(0);
  });
});
