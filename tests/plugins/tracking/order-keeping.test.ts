import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { forgetFinishedOrders } from '../../../plugins/tracking/order-keeping.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

const dayMs = 86_400_000;
const nowMs = Date.parse('2026-07-01T12:00:00Z');

describe('forgetFinishedOrders()', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
  });
  after(() => data.stop());
  beforeEach(() => data.sql('truncate tracked_orders, stop_visits'));

  let forgotten = 0;
  const forget = (retentionDays: number): Promise<void> => {
    const silent = (): void => undefined;
    return forgetFinishedOrders(
      {
        db: data.db,
        log: { debug: silent, info: silent, warn: silent, error: silent },
        metrics: {
          increment: (_name, _labels, by = 1) => void (forgotten += by),
          set: silent,
          observe: silent,
        },
      },
      { nowMs, retentionMs: retentionDays * dayMs, signal: new AbortController().signal },
    );
  };
  const add = (orderId: string, status: 'active' | 'closed', daysAgo: number): Promise<unknown> =>
    data.sql(
      `with tracked as (insert into tracked_orders (order_id, driver_id, status, updated_at) values ($1, 'd1', $2, $3))
        insert into stop_visits (order_id, stop, driver_id, arrived_at)
        values ($1, 'pickup', 'd1', $3), ($1, 'destination', 'd1', $3)`,
      [orderId, status, new Date(nowMs - daysAgo * dayMs).toISOString()],
    );
  const left = async (): Promise<unknown[]> =>
    (
      await data.sql(`select order_id, (select count(*)::int from stop_visits v where v.order_id = o.order_id) as visits
        from tracked_orders o order by 1`)
    ).map(({ order_id, visits }) => [order_id, visits]);

  it('deletes orders that are over for as long as fixes are kept, with their visits, and no others', async () => {
    await add('over-long', 'closed', 41);
    await add('over', 'closed', 39);
    await add('carried', 'active', 300);
    forgotten = 0;
    await forget(40);
    assert.deepEqual(await left(), [
      ['carried', 2],
      ['over', 2],
    ]);
    assert.equal(forgotten, 1);
    assert.deepEqual(await data.sql(`select count(*)::int as visits from stop_visits`), [{ visits: 4 }]);
  });

  it('keeps them for 30 days at least, for an event may come late', async () => {
    await add('over', 'closed', 29);
    await add('over-long', 'closed', 31);
    await forget(1);
    assert.deepEqual(await left(), [['over', 2]]);
  });

  it('deletes all of very many, from several nodes at once, and waits for no row that another holds', async () => {
    await data.sql(
      `insert into tracked_orders (order_id, status, updated_at) select 'o' || n, 'closed', $1 from generate_series(1, 2500) n`,
      [new Date(nowMs - 50 * dayMs).toISOString()],
    );
    await data.sql(
      `insert into stop_visits (order_id, stop, driver_id) select order_id, 'pickup', 'd1' from tracked_orders`,
    );
    await data.db.transaction(async (tx) => {
      await tx.query({ name: 'hold', text: `select from tracked_orders where order_id = 'o1' for update` });
      await Promise.all([forget(30), forget(30), forget(30)]);
    });
    await forget(30);
    assert.deepEqual(await left(), []);
    assert.deepEqual(await data.sql('select from stop_visits'), []);
  });
});
