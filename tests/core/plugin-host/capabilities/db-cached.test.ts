import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { toCacheEvent } from '#core/cache/event-match.ts';
import { compileArguments } from '#core/plugin-host/call-arguments.ts';
import { createDbCapability } from '#core/plugin-host/capabilities/db.ts';
import { readSample } from '../../../support/platform.ts';
import { startDbFixture, type DbFixture } from './db-fixture.ts';

const find = { name: 'find_item', text: 'select name from item where id = $1' };
const cache = { invalidatedBy: ['item.*'], keyedBy: { itemId: '1' } };

describe('db.query with a cache', () => {
  let fixture: DbFixture;
  before(async () => {
    fixture = await startDbFixture();
    await fixture.run('query', {
      statement: { name: 'insert_items', text: "insert into item (id, name) values (1, 'a'), (2, 'b')" },
      values: [],
    });
  });
  after(() => fixture.stop());

  const read = async (id: number, given: object = cache): Promise<string> =>
    (await fixture.run('query', { statement: find, values: [id], cache: given })).rows[0].name;
  const write = (id: number, name: string) =>
    fixture.run('query', {
      statement: { name: 'update_item', text: 'update item set name = $2 where id = $1' },
      values: [id, name],
    });

  it('keeps the result of a statement with its values until an event that is about them', async () => {
    assert.equal(await read(1), 'a');
    assert.equal(await read(2, { ...cache, keyedBy: { itemId: '2' } }), 'b');
    await write(1, 'changed');
    assert.deepEqual([await read(1), await read(2)], ['a', 'b']);
    fixture.queryCache.invalidate(toCacheEvent('item.changed', { itemId: '2' }));
    assert.equal(await read(1), 'a');
    fixture.queryCache.invalidate(toCacheEvent('item.changed', { itemId: '1' }));
    assert.equal(await read(1), 'changed');
    const text = (await fixture.telemetry.metrics.render()).body;
    const labels = { cache: 'query', plugin: 'orders' };
    assert.equal(readSample(text, 'returnit_cache_requests_total', { ...labels, result: 'hit' }), 3);
    assert.equal(readSample(text, 'returnit_cache_requests_total', { ...labels, result: 'miss' }), 3);
  });

  it('keeps nothing that wrote, and nothing that failed', async () => {
    const upsert = { name: 'touch', text: 'update item set big = coalesce(big, 0) + 1 where id = 2 returning big' };
    const run = () => fixture.run('query', { statement: upsert, values: [], cache });
    await run();
    assert.deepEqual((await run()).rows, [{ big: '2' }]);
    const broken = { name: 'broken', text: 'select 1 / (select count(*) - 2 from item)' };
    for (let time = 0; time < 2; time += 1) {
      await assert.rejects(fixture.run('query', { statement: broken, values: [], cache }), { code: 'DATABASE_ERROR' });
    }
  });

  it('is refused in a transaction, which must see what it has written', async () => {
    const { tx } = await fixture.run('begin', {});
    await assert.rejects(fixture.run('query', { statement: find, values: [1], cache, tx }), {
      code: 'INVALID_CALL',
      message: 'Cannot keep the result of "find_item": it is read in a transaction',
    });
    await fixture.run('rollback', { tx });
  });

  it('takes names of events and one id', () => {
    const { query } = createDbCapability(fixture).methods;
    const check = compileArguments('db.query', query?.args ?? {});
    const given = (changes: object) => () =>
      check({ statement: find, values: [1], cache: { invalidatedBy: ['order.*'], ...changes } });
    given({})();
    given({ invalidatedBy: ['order.picked_up', 'driver.*'], keyedBy: { orderId: 'o1' }, ttlMs: 1000 })();
    for (const changes of [
      { invalidatedBy: [] },
      { invalidatedBy: ['*'] },
      { invalidatedBy: ['order*'] },
      { keyedBy: { orderId: 'o1', driverId: 'd1' } },
      { keyedBy: { status: 'created' } },
      { ttlMs: 0 },
    ]) {
      assert.throws(given(changes), { code: 'INVALID_CALL' }, JSON.stringify(changes));
    }
  });
});
