import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { sandboxLimitMinor } from '../../../plugins/payments/providers/sandbox-provider.ts';
import { createPaymentsFixture, ops, type PaymentsFixture } from './payments-fixture.ts';

const byCustomer = { by: { kind: 'customer', id: 'c1' } };

describe('payments', () => {
  let pay: PaymentsFixture;
  before(async () => {
    pay = await createPaymentsFixture();
  });
  afterEach(() => pay.checkBooks());
  after(() => pay.stop());

  const booked = async (method?: string, amountMinor?: number): Promise<string> => {
    const orderId = await pay.book({
      ...(method === undefined ? {} : { method }),
      ...(amountMinor === undefined ? {} : { amountMinor }),
    });
    await pay.drain();
    return orderId;
  };
  const delivered = async (method?: string, amountMinor?: number): Promise<string> => {
    const orderId = await booked(method, amountMinor);
    await pay.tell('order.delivered', orderId, { version: 7 });
    await pay.drain();
    return orderId;
  };
  const statusOf = async (orderId: string): Promise<string> => (await pay.paymentOf(orderId)).status;
  const keysOf = async (orderId: string): Promise<string[]> =>
    (await pay.paymentOf(orderId)).operations.map(({ kind, number, status }) => `${kind} ${number} ${status}`);

  it('reserves at the booking, once, whatever is delivered twice and at the same time', async () => {
    const orderId = await pay.book();
    const created = {
      customerId: 'c1',
      partnerId: null,
      payment: { amountMinor: 590, currency: 'EUR', method: 'tok_default' },
    };
    await Promise.all([1, 2, 3].map(() => pay.tell('order.created', orderId, created)));
    await pay.drain();
    const [operation] = (await pay.paymentOf(orderId)).operations;
    const work = () => pay.running.work('payments.authorise', { operationId: operation?.operationId });
    await Promise.all(Array.from({ length: 5 }, work));
    const { status, operations } = await pay.paymentOf(orderId);
    assert.equal(status, 'authorised');
    assert.deepEqual(
      operations.map(({ idempotencyKey }) => idempotencyKey),
      [`order:${orderId}:authorise:1`],
    );
    assert.deepEqual(pay.eventsOf(orderId), ['payment.authorised']);
    await pay.agree();
  });

  it('takes the money at the drop-off, and says how much', async () => {
    const orderId = await delivered();
    const { status, capturedMinor } = await pay.paymentOf(orderId);
    assert.deepEqual([status, capturedMinor], ['captured', 590]);
    assert.deepEqual(pay.eventsOf(orderId), ['payment.authorised', 'payment.captured']);
    const data = pay.data.find('payment.captured').at(-1)?.data ?? {};
    assert.deepEqual(
      [data['orderId'], data['customerId'], data['amountMinor'], data['currency'], data['purpose']],
      [orderId, 'c1', 590, 'EUR', 'order'],
    );
    assert.ok(pay.running.counted('returnit_payments_total', { operation: 'capture', outcome: 'captured' }) >= 1);
    await pay.agree();
  });

  it('declines with the reason of each test card', async () => {
    const cards = [
      ['tok_declined', 'card_declined'],
      ['tok_expired', 'card_expired'],
      ['tok_insufficient_funds', 'insufficient_funds'],
    ];
    for (const [method, reason] of cards) {
      const orderId = await booked(method);
      const payment = await pay.paymentOf(orderId);
      assert.deepEqual([payment.status, payment.declineReason], ['declined', reason]);
      assert.equal(pay.data.find('payment.declined').at(-1)?.data['reason'], reason);
      // What the order's cancellation then says changes nothing.
      await pay.tell('order.cancelled', orderId, { from: 'created', by: { kind: 'system', id: 'payments' } });
      await pay.drain();
      assert.equal(await statusOf(orderId), 'declined');
    }
    assert.equal(await statusOf(await booked('tok_default', sandboxLimitMinor + 1)), 'declined');
    assert.equal(await statusOf(await booked('tok_default', sandboxLimitMinor)), 'authorised');
  });

  it('gives the reservation back when the order is cancelled before a driver was assigned', async () => {
    const orderId = await booked();
    await pay.tell('order.cancelled', orderId, { from: 'scheduled', ...byCustomer });
    await pay.tell('order.cancelled', orderId, { from: 'scheduled', ...byCustomer });
    assert.equal(await statusOf(orderId), 'voiding');
    await pay.drain();
    assert.equal(await statusOf(orderId), 'voided');
    assert.deepEqual(await keysOf(orderId), ['authorise 1 succeeded', 'void 1 succeeded']);
    assert.deepEqual(pay.eventsOf(orderId), ['payment.authorised', 'payment.voided']);
    await pay.agree();
  });

  it('keeps the fee of a cancellation by customer or partner from the assignment on, and releases the rest', async () => {
    for (const from of ['assigned', 'on_the_way', 'arrived', 'pickup_failed']) {
      for (const kind of ['customer', 'partner']) {
        const orderId = await booked('tok_default', 591);
        await pay.tell('order.cancelled', orderId, { from, by: { kind, id: 'x' }, driverId: 'd1', version: 5 });
        await pay.drain();
        const { status, capturedMinor } = await pay.paymentOf(orderId);
        assert.deepEqual([from, kind, status, capturedMinor], [from, kind, 'captured', 295]);
        const data = pay.data.find('payment.captured').at(-1)?.data ?? {};
        assert.deepEqual([data['amountMinor'], data['purpose']], [295, 'cancellation_fee']);
      }
    }
    const [fees] = await pay.data.sql(
      `select sum(amount_minor)::integer as sum from ledger_entries where account = 'fees'`,
    );
    assert.equal(fees?.['sum'], -8 * 295);
    await pay.agree();
  });

  it('charges the fee of a failed pickup for which nobody chose a new time, as of one that its customer cancels', async () => {
    const orderId = await booked('tok_default', 591);
    const by = { kind: 'system', id: 'orders' };
    await pay.tell('order.cancelled', orderId, { from: 'pickup_failed', by, driverId: 'd1', version: 5 });
    await pay.drain();
    assert.equal((await pay.paymentOf(orderId)).capturedMinor, 295);
  });

  it('charges nothing for what ops and the system cancel, nor when no driver came or nobody says who and from where', async () => {
    for (const said of [
      { from: 'assigned', by: { kind: 'ops' }, driverId: 'd1' },
      { from: 'arrived', by: { kind: 'system', id: 'orders' }, driverId: 'd1' },
      { from: 'pickup_failed', by: { kind: 'system', id: 'payments' }, driverId: 'd1' },
      { from: 'pickup_failed', by: { kind: 'system', id: 'orders' }, driverId: null },
      { from: 'pickup_failed', ...byCustomer, driverId: null },
      {},
      byCustomer,
    ]) {
      const orderId = await booked();
      await pay.tell('order.cancelled', orderId, said);
      await pay.drain();
      assert.equal(await statusOf(orderId), 'voided');
    }
  });

  it('does not ask for an order that was cancelled before', async () => {
    const orderId = await pay.book();
    await pay.tell('order.cancelled', orderId, { from: 'created', ...byCustomer });
    assert.equal(await statusOf(orderId), 'cancelled');
    await pay.drain();
    assert.deepEqual(await keysOf(orderId), ['authorise 1 superseded']);
    assert.deepEqual(pay.eventsOf(orderId), []);
    await pay.agree();
  });

  it('waives a fee that cannot be taken', async () => {
    const orderId = await booked('tok_capture_fails');
    await pay.tell('order.cancelled', orderId, { from: 'arrived', ...byCustomer, driverId: 'd1', version: 6 });
    await pay.drain();
    assert.deepEqual(await keysOf(orderId), ['authorise 1 succeeded', 'capture 1 failed', 'void 1 succeeded']);
    assert.equal(await statusOf(orderId), 'voided');
    await pay.agree();
  });

  it('says that a delivered order could not be paid, once; ops has it tried again under a new intent', async () => {
    const orderId = await delivered('tok_capture_fails');
    const payment = await pay.paymentOf(orderId);
    assert.deepEqual(
      [payment.status, payment.failureReason, payment.isOwed],
      ['capture_failed', 'capture_refused', true],
    );
    assert.deepEqual(pay.eventsOf(orderId), ['payment.authorised', 'payment.capture_failed']);
    await pay.tell('order.delivered', orderId, { version: 7 });
    assert.deepEqual(pay.eventsOf(orderId), ['payment.authorised', 'payment.capture_failed']);
    const retry = () =>
      pay.running.request('POST /payments/{paymentId}/retry', {
        principal: ops,
        params: { paymentId: payment.paymentId },
      });
    assert.equal((await retry()).body['status'], 'capturing');
    assert.equal((await retry()).code, 'PAYMENT_RETRY_REFUSED');
    await pay.drain();
    assert.equal(await statusOf(orderId), 'capture_failed');
    await pay.data.sql(`update sandbox_payments set method = 'tok_default' where order_id = $1`, [orderId]);
    await retry();
    await pay.drain();
    assert.deepEqual(await keysOf(orderId), [
      'authorise 1 succeeded',
      'capture 1 failed',
      'capture 2 failed',
      'capture 3 succeeded',
    ]);
    const paid = await pay.paymentOf(orderId);
    assert.deepEqual([paid.status, paid.isOwed, paid.failureReason], ['captured', false, null]);
    await pay.agree();
  });

  it('makes a reservation anew that was lost before the drop-off, when ops says so', async () => {
    const orderId = await booked();
    await pay.data.sql(`update sandbox_payments set state = 'voided', reason = 'automatic' where order_id = $1`, [
      orderId,
    ]);
    await pay.tell('order.delivered', orderId, { version: 7 });
    await pay.drain();
    const { paymentId, status, failureReason } = await pay.paymentOf(orderId);
    assert.deepEqual([status, failureReason], ['capture_failed', 'automatic']);
    await pay.running.request('POST /payments/{paymentId}/retry', { principal: ops, params: { paymentId } });
    await pay.drain();
    assert.deepEqual(await keysOf(orderId), [
      'authorise 1 succeeded',
      'capture 1 failed',
      'authorise 2 succeeded',
      'capture 2 succeeded',
    ]);
    assert.equal((await pay.paymentOf(orderId)).capturedMinor, 590);
    await pay.data.sql('delete from sandbox_payments where state = $1 and order_id = $2', ['voided', orderId]);
    await pay.agree();
  });

  it('does what events say that have overtaken the booking', async () => {
    const created = {
      customerId: 'c1',
      partnerId: null,
      payment: { amountMinor: 590, currency: 'EUR', method: 'tok_default' },
    };
    const { randomUUID } = await import('node:crypto');
    const cancelled = randomUUID();
    await pay.tell('order.cancelled', cancelled, { from: 'created', ...byCustomer });
    assert.equal(await statusOf(cancelled), 'cancelled');
    await pay.tell('order.created', cancelled, created);
    await pay.drain();
    assert.equal(await statusOf(cancelled), 'cancelled');
    assert.deepEqual(pay.eventsOf(cancelled), []);

    const late = randomUUID();
    await pay.tell('order.completed', late, { driverId: 'd-late', version: 8 });
    await pay.tell('order.delivered', late, { version: 7 });
    assert.equal(await statusOf(late), 'awaited');
    await pay.tell('order.created', late, created);
    await pay.drain();
    assert.equal(await statusOf(late), 'captured');
    const [share] = await pay.data.sql(
      `select sum(amount_minor)::integer as sum from ledger_entries where account = 'driver_payable' and owner = 'd-late'`,
    );
    assert.equal(share?.['sum'], -413);
    await pay.agree();
  });

  it('never gives a good order back because something comes late', async () => {
    const orderId = await delivered();
    await pay.tell('order.cancelled', orderId, { from: 'assigned', ...byCustomer, version: 4 });
    await pay.tell('order.cancelled', orderId, { from: 'assigned', ...byCustomer });
    await pay.drain();
    assert.equal(await statusOf(orderId), 'captured');
    assert.deepEqual(await keysOf(orderId), ['authorise 1 succeeded', 'capture 1 succeeded']);
  });

  it('shows payments to the owner and ops, and to nobody else, and a card to nobody', async () => {
    const orderId = await pay.book({ partnerId: 'p1' });
    await pay.drain();
    const ask = (role: 'customer' | 'partner' | 'ops', id: string) =>
      pay.running.request('GET /payments', { principal: { id, role }, query: { orderId } });
    for (const [role, id] of [
      ['customer', 'c1'],
      ['partner', 'p1'],
      ['ops', 'o1'],
    ] as const) {
      const { status, body } = await ask(role, id);
      const [payment] = body['payments'] as Record<string, unknown>[];
      assert.deepEqual([status, payment?.['status'], payment?.['amountMinor']], [200, 'authorised', 590]);
      assert.equal(Object.hasOwn(payment ?? {}, 'customerId'), false);
    }
    for (const role of ['customer', 'partner'] as const) {
      assert.equal((await ask(role, 'other')).code, 'PAYMENT_NOT_FOUND');
    }
    assert.doesNotMatch(JSON.stringify(pay.running.recorded.logs), /tok_/);
  });
});
