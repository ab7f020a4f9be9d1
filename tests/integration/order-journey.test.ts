import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { book, bookingAt, connectDriver, near, orderReached, placeOf, type Order } from '../support/journey.ts';
import { assertTold, driveOrder, paymentOf } from '../support/order-journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

describe('an order on the platform', () => {
  let platform: TestPlatform;

  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform?.stop());

  it('goes from booking to the door, seen by those who may see it', async () => {
    await driveOrder({ platform, place: placeOf(1), name: 'journey' });
  });

  it('goes to the nearest driver on shift', async () => {
    const place = placeOf(2);
    const [far, close, offShift] = await Promise.all(
      ['far', 'close', 'off-shift'].map((id) => connectDriver(platform, id)),
    );
    assert.ok(far !== undefined && close !== undefined && offShift !== undefined);
    await Promise.all([
      far.publish(near(place, 40)),
      close.publish(near(place, 10)),
      offShift.publish(near(place, 1)),
      (await platform.as('driver', 'off-shift')).ok('POST', '/drivers/off-shift/shift', { onShift: false }),
    ]);
    const customer = await platform.as('customer', 'c-nearest');
    const { orderId } = await book(customer, place);
    const assigned = await orderReached(customer, orderId, 'assigned');
    assert.equal(assigned.driverId, 'close');
    await Promise.all([far, close, offShift].map((device) => device.close()));
  });

  it('is cancelled by its customer: the payment is given back, and once', async () => {
    const customer = await platform.as('customer', 'c-cancels');
    const { orderId } = await book(customer, placeOf(3));
    await orderReached(customer, orderId, 'scheduled');
    const cancel = () =>
      customer.request<Order>('POST', `/orders/${orderId}/cancel`, { body: { reason: 'changed my mind' } });
    const answers = await Promise.all([cancel(), cancel()]);
    for (const { status, body } of answers)
      assert.deepEqual([status, body.status], [200, 'cancelled'], JSON.stringify(body));
    await until('the payment is voided', async () => (await paymentOf(customer, orderId)).status === 'voided');
    const { history, cancelReason } = await customer.ok<Order>('GET', `/orders/${orderId}`);
    assert.deepEqual(
      [history?.map(({ to }) => to), cancelReason],
      [['created', 'scheduled', 'cancelled'], 'changed my mind'],
    );
    const templates = ['order.created', 'order.scheduled', 'driver.unavailable', 'order.cancelled'];
    await assertTold(platform, orderId, { role: 'customer', id: 'c-cancels', templates });
    const { body } = await (await platform.as('ops', 'o')).request('POST', `/orders/${orderId}/start`);
    assert.equal(body.code, 'ORDER_STATE_CONFLICT');
  });

  it('is cancelled when the card is declined', async () => {
    const customer = await platform.as('customer', 'c-declined');
    const { orderId } = await book(customer, placeOf(4), { paymentMethod: 'tok_declined' });
    const cancelled = await orderReached(customer, orderId, 'cancelled');
    assert.equal(cancelled.cancelReason, 'payment declined: card_declined');
    const payment = await paymentOf(customer, orderId);
    assert.deepEqual([payment.status, payment.declineReason], ['declined', 'card_declined']);
    const templates = ['order.created', 'payment.declined', 'order.cancelled'];
    await assertTold(platform, orderId, { role: 'customer', id: 'c-declined', templates });
  });

  it('is booked once, however often and at once the same reference is sent', async () => {
    const customer = await platform.as('customer', 'c-repeats');
    const body = bookingAt(placeOf(5), { reference: 'return-17' });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => customer.request<Order>('POST', '/orders', { body })),
    );
    assert.equal(new Set(answers.map((answer) => answer.body.orderId)).size, 1);
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    const { orders } = await customer.ok<{ orders: Order[] }>('GET', '/orders');
    assert.equal(orders.length, 1);
    const other = await customer.request('POST', '/orders', {
      body: { ...body, parcels: [{ description: 'Hat' }] },
    });
    assert.deepEqual([other.status, other.body.code], [409, 'ORDER_REFERENCE_CONFLICT']);
  });

  it('is listed page by page, each order once, also while new ones come', async () => {
    const customer = await platform.as('customer', 'c-pages');
    for (let index = 0; index < 5; index += 1) await book(customer, placeOf(5));
    const seen: string[] = [];
    let cursor = '';
    do {
      const query: string = `/orders?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const page = await customer.ok<{ orders: Order[]; nextCursor: string | null }>('GET', query);
      seen.push(...page.orders.map(({ orderId }) => orderId));
      cursor = page.nextCursor ?? '';
      if (seen.length === 2) await book(customer, placeOf(5));
    } while (cursor !== '');
    assert.equal(seen.length, 5);
    assert.equal(new Set(seen).size, 5);
  });
});
