import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { toBooking } from './booking-fixture.ts';
import { createOrdersRig, customer, driver, ops, slotIn, type OrdersRig } from './orders-rig.ts';

const rounds = 20;

describe('two that move an order at the same moment', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
  });
  after(() => rig.stop());
  beforeEach(() => rig.restart());

  const namesOf = (orderId: string): string[] => rig.eventsOf(orderId).map(({ name }) => name.slice('order.'.length));

  it('cancel and assign: the order is cancelled, and who was told of a driver is told of the end', async () => {
    const seen = new Set<string>();
    for (let round = 0; round < rounds; round += 1) {
      const orderId = await rig.reach('scheduled');
      const assign = () => rig.running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 1, sequence: 1 });
      const cancel = () => rig.act(customer, orderId, 'cancel');
      await Promise.all(round % 2 === 0 ? [assign(), cancel()] : [cancel(), assign()]);
      const { status } = await rig.get(orderId);
      assert.equal(status, 'cancelled');
      const told = namesOf(orderId).slice(2).join(' ');
      assert.ok(['cancelled', 'assigned cancelled'].includes(told), told);
      // `from` decides the fee: it must be what the order was when it was cancelled.
      const { data } = rig.eventsOf(orderId).at(-1) ?? assert.fail();
      assert.equal(data['from'], told === 'cancelled' ? 'scheduled' : 'assigned');
      seen.add(told);
    }
    assert.equal(rig.running.counted('returnit_orders_steps_total', { action: 'cancel', outcome: 'moved' }), rounds);
  });

  it('reschedule and cancel: one of both, and the place goes with it', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const orderId = await rig.reach('pickup_failed');
      const reschedule = () => rig.act(customer, orderId, 'reschedule', { pickupWindow: slotIn(3) });
      const cancel = () => rig.act(ops, orderId, 'cancel');
      const replies = await Promise.all(round % 2 === 0 ? [reschedule(), cancel()] : [cancel(), reschedule()]);
      const [rescheduled, cancelled] = round % 2 === 0 ? replies : replies.toReversed();
      assert.equal(cancelled?.status, 200);
      const { status } = await rig.get(orderId);
      assert.equal(status, 'cancelled');
      const told = namesOf(orderId).slice(5).join(' ');
      assert.equal(told, rescheduled?.status === 200 ? 'scheduled cancelled' : 'cancelled');
      const held = await rig.data.sql('select from order_places where order_id = $1', [orderId]);
      assert.equal(held.length, 0);
    }
    const [places] = await rig.data.sql('select sum(taken)::int as taken from pickup_windows');
    assert.equal(places?.['taken'], 0);
  });

  it('the last two tries: many reschedule at once, one does', async () => {
    const orderId = await rig.reach('pickup_failed');
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        rig.act(customer, orderId, 'reschedule', { pickupWindow: slotIn(2 + index) }),
      ),
    );
    assert.equal(replies.filter(({ status }) => status === 200).length, 1);
    assert.equal(replies.filter(({ status, code }) => status === 409 && code === 'ORDER_STATE_CONFLICT').length, 9);
    assert.equal((await rig.get(orderId)).attempt, 2);
  });

  it('pick up and unassign: parcels on board stay with their driver', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const orderId = await rig.reach('on_the_way');
      const pickUp = () => rig.act(driver, orderId, 'pickup');
      const unassign = () =>
        rig.running.deliver('driver.unassigned', {
          orderId,
          driverId: 'd1',
          attempt: 1,
          sequence: 2,
          reason: 'silent',
        });
      await Promise.all(round % 2 === 0 ? [pickUp(), unassign()] : [unassign(), pickUp()]);
      const { status, driverId, history } = await rig.get(orderId);
      assert.deepEqual(
        [status, driverId],
        history.at(-1)?.action === 'pick_up' ? ['picked_up', 'd1'] : ['scheduled', null],
      );
    }
  });

  it('one key, one order: a request that is sent again at once or after a crash books once', async () => {
    const headers = { 'idempotency-key': 'k-1' };
    const body = toBooking();
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => rig.post('/orders', { principal: customer, body, headers })),
    );
    assert.deepEqual(
      replies.map(({ status }) => status).toSorted((a, b) => a - b),
      [...Array.from({ length: 9 }, () => 200), 201],
    );
    const [orderId] = new Set(replies.map((reply) => reply.body['orderId']));
    assert.match(String(orderId), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const other = await rig.post('/orders', { principal: customer, body: { ...body, notes: 'other' }, headers });
    assert.deepEqual([other.status, other.code], [409, 'ORDER_KEY_CONFLICT']);
    const foreign = await rig.post('/orders', { principal: { id: 'c2', role: 'customer' }, body, headers });
    assert.equal(foreign.status, 201);
    assert.equal((await rig.data.sql('select from orders')).length, 2);
    assert.equal(rig.running.counted('returnit_orders_booked_total', { outcome: 'repeated' }), 9);
  });
});
