import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { customer, createOrdersRig, ops, slotIn, type OrdersRig } from './orders-rig.ts';

describe('orders that nobody drives to', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
  });
  after(() => rig.stop());

  const unavailable = (orderId: string, data: object) =>
    rig.running.deliver('driver.unavailable', { orderId, customerId: 'c1', attempt: 1, final: true, ...data });
  const stateOf = async (orderId: string): Promise<unknown[]> => {
    const { status, attempt, failureReason } = await rig.get(orderId);
    return [status, attempt, failureReason];
  };

  it('fails the pickup of the try for which no driver was found, and of no other', async () => {
    const orderId = await rig.reach('scheduled');
    await unavailable(orderId, { final: false });
    await unavailable(orderId, { attempt: 2 });
    assert.deepEqual(await stateOf(orderId), ['scheduled', 1, null]);
    await unavailable(orderId, {});
    await unavailable(orderId, {});
    assert.deepEqual(await stateOf(orderId), ['pickup_failed', 1, 'no_driver']);
    const told = rig.eventsOf(orderId).filter(({ name }) => name === 'order.pickup_failed');
    assert.deepEqual(
      told.map(({ data }) => [data['reason'], data['driverId'], data['attemptsLeft'], data['by']]),
      [['no_driver', null, 2, { kind: 'system', id: 'drivers' }]],
    );
    const { status } = await rig.act(customer, orderId, 'reschedule', { pickupWindow: slotIn(3) });
    assert.equal(status, 200);
    await unavailable(orderId, {});
    assert.deepEqual(await stateOf(orderId), ['scheduled', 2, 'no_driver']);
  });

  it('leaves an order alone that has found its driver, and one that nobody knows', async () => {
    const orderId = await rig.reach('assigned');
    await unavailable(orderId, {});
    assert.equal((await rig.get(orderId)).status, 'assigned');
    await unavailable('00000000-0000-7000-8000-000000000000', {});
  });

  it('lets no person say so', async () => {
    const orderId = await rig.reach('on_the_way');
    const reply = await rig.act(ops, orderId, 'fail-pickup', { reason: 'no_driver' });
    assert.deepEqual([reply.status, reply.code], [422, 'VALIDATION_FAILED']);
  });

  it('cancels what has waited too long for a new time, once, and gives its place back', async () => {
    await rig.restart({ ORDERS_ABANDON_HOURS: '2' });
    const waiting = await rig.reach('pickup_failed');
    const old = await Promise.all(Array.from({ length: 3 }, () => rig.reach('pickup_failed')));
    const other = await rig.reach('scheduled');
    await rig.data.sql(`update orders set updated_at = now() - interval '119 minutes' where order_id = $1`, [waiting]);
    await rig.data.sql(
      `update orders set updated_at = now() - interval '121 minutes' where order_id = any($1) or order_id = $2`,
      [old, other],
    );
    await Promise.all([rig.running.work('orders.abandon', {}), rig.running.work('orders.abandon', {})]);
    for (const orderId of old) {
      const { status, history } = await rig.get(orderId);
      assert.equal(status, 'cancelled');
      const last = history.at(-1);
      assert.deepEqual(
        [last?.action, last?.actorKind, last?.actorId, last?.reason],
        ['cancel', 'system', 'orders', 'nobody_home'],
      );
      assert.equal(rig.eventsOf(orderId).filter(({ name }) => name === 'order.cancelled').length, 1);
    }
    assert.equal((await rig.get(waiting)).status, 'pickup_failed');
    assert.equal((await rig.get(other)).status, 'scheduled');
    const places = await rig.data.sql('select order_id from order_places where order_id = any($1)', [old]);
    assert.deepEqual(places, []);
    assert.equal(rig.running.counted('returnit_orders_steps_total', { action: 'cancel', outcome: 'moved' }), 3);
  });
});
