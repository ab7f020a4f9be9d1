import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { createPaymentsFixture, ops, type PaymentsFixture } from './payments-fixture.ts';

describe('POST /payments/{paymentId}/refunds', () => {
  let pay: PaymentsFixture;
  before(async () => {
    pay = await createPaymentsFixture();
  });
  afterEach(async () => {
    await pay.drain();
    await pay.checkBooks();
    await pay.agree();
  });
  after(() => pay.stop());

  async function delivered(method = 'tok_default'): Promise<string> {
    const orderId = await pay.book({ method });
    await pay.drain();
    await pay.tell('order.delivered', orderId, { version: 7 });
    await pay.drain();
    return orderId;
  }

  it('gives a part back, then another, never more than was captured', async () => {
    const orderId = await delivered();
    const first = await pay.refund(orderId, 200);
    assert.deepEqual(
      [first.status, first.body['kind'], first.body['status'], first.body['requestedBy'], first.body['reason']],
      [201, 'refund', 'pending', 'ops', 'damaged'],
    );
    assert.equal((await pay.paymentOf(orderId)).status, 'refunding');
    assert.equal((await pay.refund(orderId, 391)).code, 'PAYMENT_REFUND_TOO_LARGE');
    assert.equal((await pay.refund(orderId, 390)).status, 201);
    await pay.drain();
    const { status, refundedMinor } = await pay.paymentOf(orderId);
    assert.deepEqual([status, refundedMinor], ['refunded', 590]);
    assert.equal((await pay.refund(orderId, 1)).code, 'PAYMENT_REFUND_TOO_LARGE');
    const told = pay.data.find('payment.refunded').filter(({ data }) => data['orderId'] === orderId);
    assert.deepEqual(new Set(told.map(({ data }) => data['amountMinor'])), new Set([200, 390]));
    assert.equal(Math.max(...told.map(({ data }) => Number(data['refundedMinor']))), 590);
  });

  it('refuses what is not captured, not there, or was changed since the caller read it', async () => {
    const booked = await pay.book();
    await pay.drain();
    assert.equal((await pay.refund(booked, 1)).code, 'PAYMENT_NOT_CAPTURED');
    const unknown = await pay.running.request('POST /payments/{paymentId}/refunds', {
      principal: ops,
      params: { paymentId: randomUUID() },
      body: { amountMinor: 1 },
    });
    assert.equal(unknown.code, 'PAYMENT_NOT_FOUND');
    const orderId = await delivered();
    const { paymentId } = await pay.paymentOf(orderId);
    const shown = await pay.running.request('GET /payments/{paymentId}', { principal: ops, params: { paymentId } });
    const etag = shown.headers?.['etag'] ?? '';
    assert.equal((await pay.refund(orderId, 10, { 'if-match': etag })).status, 201);
    const stale = await pay.refund(orderId, 10, { 'if-match': etag });
    assert.deepEqual([stale.status, stale.code], [412, 'PAYMENT_CHANGED']);
    assert.equal((await pay.refund(orderId, 10, { 'if-match': 'W/"x"' })).code, 'PAYMENT_CHANGED');
    assert.equal((await pay.refund(orderId, 10, { 'if-match': '*' })).status, 201);
  });

  it('is one refund a key, however often and at once it is sent', async () => {
    const orderId = await delivered();
    const key = { 'idempotency-key': 'refund-1' };
    const replies = await Promise.all(Array.from({ length: 8 }, () => pay.refund(orderId, 100, key)));
    assert.equal(new Set(replies.map(({ body }) => body['operationId'])).size, 1);
    assert.equal(replies.filter(({ status }) => status === 201).length, 1);
    assert.match(
      String(replies[0]?.body['operationId']),
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    assert.equal((await pay.refund(orderId, 101, key)).code, 'PAYMENT_REFUND_CONFLICT');
    await pay.drain();
    assert.equal((await pay.refund(orderId, 100, key)).body['status'], 'succeeded');
    assert.equal((await pay.paymentOf(orderId)).refundedMinor, 100);
  });

  it('sets the amount free again when the provider refuses', async () => {
    const orderId = await delivered('tok_refund_fails');
    await pay.refund(orderId, 590);
    await pay.drain();
    const { status, refundedMinor, operations } = await pay.paymentOf(orderId);
    assert.deepEqual([status, refundedMinor, operations.at(-1)?.status], ['captured', 0, 'failed']);
    await pay.data.sql(`update sandbox_payments set method = 'tok_default' where order_id = $1`, [orderId]);
    assert.equal((await pay.refund(orderId, 590)).status, 201);
    await pay.drain();
    assert.equal((await pay.paymentOf(orderId)).status, 'refunded');
    assert.equal(pay.running.counted('returnit_payments_total', { operation: 'refund', outcome: 'failed' }), 1);
  });

  it('asks once for what an order that is over gives back, and leaves a refusal to ops', async () => {
    const orderId = await pay.book({ method: 'tok_refund_fails' });
    await pay.drain();
    // Somebody has taken the money in the provider's dashboard.
    await pay.data.sql(
      `update sandbox_payments set state = 'captured', captured_minor = amount_minor where order_id = $1`,
      [orderId],
    );
    await pay.tell('order.cancelled', orderId, { from: 'scheduled', by: { kind: 'customer', id: 'c1' }, version: 3 });
    await pay.drain();
    const { status, operations } = await pay.paymentOf(orderId);
    const steps = operations.map(({ kind, number, status: outcome }) => `${kind} ${number} ${outcome}`);
    assert.deepEqual(steps, ['authorise 1 succeeded', 'void 1 failed', 'refund 1 failed']);
    assert.equal(status, 'captured');
    await pay.data.sql(`update sandbox_payments set method = 'tok_default' where order_id = $1`, [orderId]);
    assert.equal((await pay.refund(orderId, 590)).status, 201);
    await pay.drain();
    assert.equal((await pay.paymentOf(orderId)).status, 'refunded');
    await pay.agree();
  });
});
