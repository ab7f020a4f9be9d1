import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { cellToLatLng, getResolution } from 'h3-js';
import { readSettings } from '../../../plugins/orders/settings.ts';
import { areaOf, slotOf, slotsFrom } from '../../../plugins/orders/window.ts';
import { toBooking } from './booking-fixture.ts';
import { createOrdersRig, customer, driver, ops, partner, slotIn, type OrdersRig } from './orders-rig.ts';

const { pickup } = toBooking();
const settings = readSettings({});

/** Of fifty who want the last place. */
const rounds = Number(process.env['RETURNIT_RACE_ROUNDS'] ?? 10);
const racing = { timeout: 120_000 + rounds * 30_000 };

interface Room {
  readonly start: string;
  readonly end: string;
  readonly capacity: number;
  readonly free: number;
  readonly version: number;
}

describe('slots and areas', () => {
  it('lie on a grid, and a stretch touches each slot that it is in for a moment', () => {
    const [start = '', ...others] = slotsFrom(
      Date.parse('2026-05-04T09:59:59.999Z'),
      Date.parse('2026-05-04T12:00:00Z'),
      settings,
    );
    assert.deepEqual([start, ...others], ['2026-05-04T08:00:00.000Z', '2026-05-04T10:00:00.000Z']);
    assert.deepEqual(slotsFrom(1000, 1000, settings), ['1970-01-01T00:00:00.000Z']);
    assert.deepEqual(slotsFrom(9_000_000, 1000, settings), []);
    assert.equal(slotOf(7_200_000, settings), 7_200_000);
  });

  it('are H3 cells of the resolution of the settings', () => {
    const area = areaOf(pickup, settings);
    assert.equal(getResolution(area), 6);
    const [lat, lon] = cellToLatLng(area);
    assert.equal(areaOf({ lat, lon }, settings), area);
  });
});

describe('pickup windows', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
  });
  after(() => rig.stop());
  beforeEach(() => rig.restart({ ORDERS_WINDOW_CAPACITY: '1' }));

  const room = async (query: object = {}): Promise<readonly Room[]> => {
    const { lat, lon } = pickup;
    const { body } = await rig.running.request('GET /orders/windows', {
      principal: customer,
      query: { lat, lon, ...query },
    });
    return body['windows'] as readonly Room[];
  };
  const freeIn = async (slots: number): Promise<number | undefined> => {
    const { start, end } = slotIn(slots);
    return (await room({ from: start, to: end }))[0]?.free;
  };
  const setCapacity = async (start: string, capacity: number | null) =>
    rig.running.request('PUT /orders/windows', {
      principal: ops,
      body: { area: areaOf(pickup, settings), start, capacity },
    });
  const taken = async (): Promise<number> =>
    Number((await rig.data.sql('select sum(taken)::int as n from pickup_windows'))[0]?.['n']);
  /** Counted anew from the orders: what a window says must be what they hold. */
  const assertCounted = async (): Promise<void> => {
    const wrong = await rig.data.sql(`select w.area, w.starts_at, w.taken, count(p.order_id)::int as held
      from pickup_windows w left join order_places p on p.area = w.area and p.starts_at = w.starts_at
      group by w.area, w.starts_at having w.taken <> count(p.order_id)`);
    assert.deepEqual(wrong, []);
  };

  it('give their last place to one of fifty, round after round, and never more than there are', racing, async () => {
    for (let round = 1; round <= rounds; round += 1) {
      const capacity = round % 3 === 0 ? 3 : 1;
      const pickupWindow = slotIn(round + 1);
      assert.equal((await setCapacity(pickupWindow.start, capacity)).status, 200);
      const replies = await Promise.all(Array.from({ length: 50 }, () => rig.book(customer, { pickupWindow })));
      const booked = replies.filter(({ status }) => status === 201);
      const full = replies.filter(({ code }) => code === 'ORDER_WINDOW_FULL');
      assert.deepEqual([booked.length, full.length], [capacity, 50 - capacity], `round ${round}`);
      assert.equal(await freeIn(round + 1), 0);
      await assertCounted();
    }
    const orders = await rig.data.sql('select from orders');
    assert.equal(orders.length, await taken());
    // Nothing is left of a booking that found no place: no event either.
    assert.equal(rig.data.find('order.created').length, orders.length);
    assert.equal(
      rig.running.counted('returnit_orders_windows_full_total', { route: 'booking' }),
      50 * rounds - orders.length,
    );
  });

  it('say when they are full which ones have room', async () => {
    const pickupWindow = slotIn(2);
    assert.equal((await rig.book(customer, { pickupWindow })).status, 201);
    assert.equal((await rig.book(customer, { pickupWindow: slotIn(3) })).status, 201);
    await setCapacity(slotIn(4).start, 7);
    const { status, code, body } = await rig.book(partner, { customerId: 'c1', pickupWindow });
    assert.deepEqual([status, code], [409, 'ORDER_WINDOW_FULL']);
    const next = body['nextWindows'] as readonly Room[];
    assert.deepEqual(
      next.map(({ start, free }) => [start, free]),
      [[slotIn(4).start, 7], ...[5, 6, 7, 8].map((slots) => [slotIn(slots).start, 1])],
    );
    assert.equal(next[0]?.end, slotIn(4).end);
  });

  it('count each area by itself, and a long window takes the first place in it', async () => {
    const pickupWindow = { start: slotIn(2).start, end: slotIn(4).end };
    for (let booked = 0; booked < 3; booked += 1)
      assert.equal((await rig.book(customer, { pickupWindow })).status, 201);
    assert.deepEqual(await Promise.all([2, 3, 4, 5].map(freeIn)), [0, 0, 0, 1]);
    assert.equal((await rig.book(customer, { pickupWindow })).code, 'ORDER_WINDOW_FULL');
    const elsewhere = await rig.book(customer, { pickupWindow, pickup: { ...pickup, lat: pickup.lat + 1 } });
    assert.equal(elsewhere.status, 201);
    await assertCounted();
  });

  it('get back the place of an order that is cancelled, once', async () => {
    const pickupWindow = slotIn(2);
    const { orderId } = (await rig.book(customer, { pickupWindow })).body;
    assert.equal(await freeIn(2), 0);
    await Promise.all(Array.from({ length: 5 }, () => rig.act(customer, orderId, 'cancel')));
    assert.equal(await freeIn(2), 1);
    const again = (await rig.book(customer, { pickupWindow })).body['orderId'];
    await rig.running.deliver('payment.declined', { orderId: again, reason: 'card_declined' });
    assert.equal(await freeIn(2), 1);
    await assertCounted();
  });

  it('exchange a place with an order that is rescheduled, or leave it as it is when the other is full', async () => {
    await rig.restart({ ORDERS_WINDOW_CAPACITY: '2' });
    const orderId = await rig.reach('pickup_failed');
    await setCapacity(slotIn(3).start, 0);
    const full = await rig.act(customer, orderId, 'reschedule', { pickupWindow: slotIn(3) });
    assert.deepEqual([full.status, full.code], [409, 'ORDER_WINDOW_FULL']);
    assert.equal(rig.running.counted('returnit_orders_windows_full_total', { route: 'reschedule' }), 1);
    assert.equal((await rig.get(orderId)).status, 'pickup_failed');
    assert.equal(await taken(), 1);
    const moved = await rig.act(customer, orderId, 'reschedule', { pickupWindow: slotIn(5) });
    assert.deepEqual([moved.status, moved.body['attempt']], [200, 2]);
    assert.equal(await freeIn(5), 1);
    assert.equal(await taken(), 1);
    await assertCounted();
  });

  it('do not make those wait for ever who exchange places crosswise', async () => {
    await rig.restart({ ORDERS_WINDOW_CAPACITY: '2' });
    const [first, second] = [slotIn(2), slotIn(3)];
    for (let round = 0; round < 5; round += 1) {
      const orders = await Promise.all([rig.reach('pickup_failed'), rig.reach('pickup_failed')]);
      const windows = [first, second];
      // Into their windows, then each into the other's at the same moment.
      await Promise.all(orders.map((id, index) => rig.act(ops, id, 'reschedule', { pickupWindow: windows[index] })));
      await Promise.all(
        orders.map(async (orderId) => {
          await rig.running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 2, sequence: 2 });
          await rig.act(driver, orderId, 'start');
          await rig.act(driver, orderId, 'fail-pickup', { reason: 'not_ready' });
        }),
      );
      const replies = await Promise.all(
        orders.map((id, index) => rig.act(ops, id, 'reschedule', { pickupWindow: windows[1 - index] })),
      );
      assert.deepEqual(
        replies.map(({ status }) => status),
        [200, 200],
      );
      await assertCounted();
      await Promise.all(orders.map((id) => rig.act(ops, id, 'cancel')));
    }
  });

  it('have the capacity that ops sets, and the default again', async () => {
    const { start, end } = slotIn(2);
    const set = await setCapacity(start, 3);
    assert.deepEqual(set.body, { start, end, capacity: 3, free: 3, version: 2 });
    assert.equal((await setCapacity(start, null)).body['capacity'], 1);
    // Who has a place keeps it when there are fewer.
    await rig.book(customer, { pickupWindow: { start, end } });
    assert.deepEqual((await setCapacity(start, 0)).body, { start, end, capacity: 0, free: 0, version: 4 });
    const off = new Date(Date.parse(start) + 1000).toISOString();
    assert.equal((await setCapacity(off, 3)).code, 'ORDER_WINDOW_INVALID');
    const body = { area: '86ffffffffffffff', start, capacity: 1 };
    assert.equal(
      (await rig.running.request('PUT /orders/windows', { principal: ops, body })).code,
      'ORDER_WINDOW_INVALID',
    );
  });

  it('are set by one of those who set them at the same moment for the same version', async () => {
    const { start, end } = slotIn(2);
    const area = areaOf(pickup, settings);
    for (const version of [1, 2]) {
      const [shown] = await room({ from: start, to: end });
      assert.equal(shown?.version, version);
      const replies = await Promise.all(
        Array.from({ length: 6 }, (_, capacity) =>
          rig.running.request('PUT /orders/windows', {
            principal: ops,
            body: { area, start, capacity },
            headers: { 'if-match': `"${version}"` },
          }),
        ),
      );
      assert.deepEqual(
        replies.filter(({ status }) => status === 200).map(({ headers }) => headers?.['etag']),
        [`"${version + 1}"`],
      );
      assert.equal(replies.filter(({ code }) => code === 'ORDER_WINDOW_CHANGED').length, 5);
    }
  });

  it('are shown for a day, or a range of two weeks at most', async () => {
    const shown = await room();
    assert.ok(shown.length === 12 || shown.length === 13, String(shown.length));
    assert.ok(shown.every(({ free, capacity }) => free === 1 && capacity === 1));
    const { lat, lon } = pickup;
    const day = 86_400_000;
    const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
    for (const range of [
      { from: at(0), to: at(15 * day) },
      { from: at(day), to: at(0) },
      { from: at(0), to: at(0) },
      { from: at(400 * day) },
      { from: '1969-12-31T00:00:00Z', to: '1970-01-01T12:00:00Z' },
    ]) {
      const reply = await rig.running.request('GET /orders/windows', {
        principal: customer,
        query: { lat, lon, ...range },
      });
      assert.equal(reply.code, 'ORDER_RANGE_INVALID', JSON.stringify(range));
    }
  });
});
