import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createOrdersRig, customer, type OrdersRig } from './orders-rig.ts';

describe('figures of orders', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
    await rig.restart();
  });
  after(() => rig.stop());

  it('show how many orders are in each state, but for those that have ended', async () => {
    await rig.reach('scheduled');
    await rig.reach('scheduled');
    await rig.reach('picked_up');
    await rig.act(customer, await rig.reach('created'), 'cancel');
    await rig.running.repeat('figures');
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
      rig.running.recorded.gauges,
      Object.entries(expected).map(([status, value]) => ({ name: 'returnit_orders_open', value, labels: { status } })),
    );
  });
});
