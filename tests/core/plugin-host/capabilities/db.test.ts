import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Pool } from '#core/database/pool.ts';
import { createTransactions } from '#core/database/transactions.ts';
import { AppError } from '#core/errors/app-error.ts';
import { until } from '../../../support/until.ts';
import { countActive, sql, startDbFixture, type DbFixture } from './db-fixture.ts';

let fixture: DbFixture;
before(async () => (fixture = await startDbFixture()));
after(() => fixture.stop());

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
    assert.equal(await countActive(fixture), 0);
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
    await until('1 run', async () => (await countActive(fixture)) === 1);
    deadline.abort(new AppError('TIMEOUT', 'Cannot finish db.query'));
    await assert.rejects(running, (error: AppError) => error.code === 'TIMEOUT');
    await until('0 run', async () => (await countActive(fixture)) === 0);
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

describe('a database that goes away', () => {
  const away = { code: 'DATABASE_UNREACHABLE' };
  const terminate = async (pid: unknown): Promise<void> => {
    await fixture.database.admin.query({ text: 'select pg_terminate_backend($1)', values: [pid] });
  };

  it('is told as such by the statement that it cuts off', async () => {
    const pending = fixture.run('query', sql('select pg_sleep(60)'));
    const failed = assert.rejects(pending, { ...away, details: { sqlstate: '57P01' } });
    await until('1 run', async () => (await countActive(fixture)) === 1);
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
    await until('the statement fails', async () =>
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
    await assert.rejects(transactions.begin(fixture.orders), away);
    await pool.stop(0);
  });
});
