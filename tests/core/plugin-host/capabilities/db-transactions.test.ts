import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { AppError } from '#core/errors/app-error.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import { createFakeInstance } from '../../../support/fake-instance.ts';
import { until } from '../../../support/until.ts';
import { countActive, sql, startDbFixture, type DbFixture } from './db-fixture.ts';

let fixture: DbFixture;
before(async () => (fixture = await startDbFixture()));
after(() => fixture.stop());

describe('db.begin, db.commit, db.rollback', () => {
  const begin = async (instance: PluginInstance = fixture.orders): Promise<string> =>
    (await fixture.run('begin', {}, { instance })).tx;
  const count = async (id: number): Promise<number> =>
    (await fixture.run('query', sql('select count(*)::int as n from item where id = $1', [id], undefined, 'count')))
      .rows[0].n;

  it('commits and rolls back', async () => {
    const first = await begin();
    const { body } = await fixture.telemetry.metrics.render();
    for (const outcome of ['commit', 'rollback', 'abandoned'])
      assert.match(body, new RegExp(`returnit_db_transactions_total\\{plugin="orders",outcome="${outcome}"\\} 0\n`));
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
    const other = createFakeInstance('orders');
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
    const instance = createFakeInstance('orders');
    const idle = await begin(instance);
    const busy = await begin(instance);
    await fixture.run('query', sql("insert into item values (20, 'twenty')", [], idle), { instance });
    const running = fixture.run('query', sql('select pg_sleep(60)', [], busy, 'sleep'), { instance });
    await until('2 run', async () => (await countActive(fixture)) === 2);
    instance.die();
    await assert.rejects(running, /the process of the plugin is gone/);
    await until('0 run', async () => (await countActive(fixture)) === 0);
    assert.equal(await count(20), 0);
  });

  it('ends at its deadline: in time or not is what its user is told, at once and later', async () => {
    const tx = await fixture.transactions.begin(fixture.orders, { timeoutMs: 50 });
    const late = { code: 'TIMEOUT', message: /open for longer than 50 ms/ };
    await assert.rejects(fixture.run('query', sql('select pg_sleep(60)', [], tx, 'sleep')), late);
    await assert.rejects(fixture.run('query', sql('select 1 as n', [], tx, 'one')), late);
    await until('0 run', async () => (await countActive(fixture)) === 0);
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
