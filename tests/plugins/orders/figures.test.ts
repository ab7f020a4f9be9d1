import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { showFigures } from '../../../plugins/orders/figures.ts';
import { createOrdersRig, customer, type OrdersRig } from './orders-rig.ts';

describe('showFigures()', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
    await rig.restart();
  });
  after(() => rig.stop());

  it('shows how many orders are in each state, but for those that have ended', async () => {
    await rig.reach('scheduled');
    await rig.reach('scheduled');
    await rig.reach('picked_up');
    await rig.act(customer, await rig.reach('created'), 'cancel');
    const shown: [string, number, object][] = [];
    const metrics = {
      increment: () => undefined,
      observe: () => undefined,
      set: (name: string, value: number, labels: object = {}) => void shown.push([name, value, labels]),
    };
    await showFigures({ db: rig.data.db, metrics });
    const expected = {
      created: 0,
      scheduled: 2,
      assigned: 0,
      on_the_way: 0,
      arrived: 0,
      pickup_failed: 0,
      picked_up: 1,
      delivered: 0,
    };
    assert.deepEqual(
      shown,
      Object.entries(expected).map(([status, count]) => ['returnit_orders_open', count, { status }]),
    );
  });
});
