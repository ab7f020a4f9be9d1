/** Stripe's own library against a server that behaves as documented: the same scenarios, real requests. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import Stripe from 'stripe';
import {
  startStripeServer,
  stripeSecretKey,
  type StripeFault,
  type StripeServer,
} from '../../support/stripe-server.ts';
import { createPaymentsFixture, type PaymentsFixture } from './payments-fixture.ts';

const webhookSecret = 'whsec_test';

describe('payments with Stripe', () => {
  let stripe: StripeServer;
  let pay: PaymentsFixture;
  before(async () => {
    stripe = await startStripeServer();
    pay = await createPaymentsFixture({
      PAYMENTS_PROVIDER: 'stripe',
      PAYMENTS_STRIPE_SECRET_KEY: stripeSecretKey,
      PAYMENTS_STRIPE_WEBHOOK_SECRET: `whsec_old, ${webhookSecret}`,
      PAYMENTS_STRIPE_API_BASE: stripe.url.href,
      PAYMENTS_PROVIDER_TIMEOUT_MS: '2000',
    });
  });
  beforeEach(() => {
    stripe.fault = () => undefined;
  });
  afterEach(() => pay.checkBooks());
  after(async () => {
    await pay?.stop();
    await stripe?.stop();
  });

  const booked = async (method = 'tok_visa'): Promise<string> => {
    const orderId = await pay.book({ method });
    await pay.drain();
    return orderId;
  };
  const delivered = async (method?: string): Promise<string> => {
    const orderId = await booked(method);
    await pay.tell('order.delivered', orderId, { version: 7 });
    await pay.drain();
    return orderId;
  };
  const intentOf = (orderId: string) => {
    const found = [...stripe.account.intents.values()].filter(({ metadata }) => metadata['order'] === orderId);
    assert.ok(found.length <= 1, 'one payment an order');
    return found[0];
  };
  /** Sends what Stripe would have sent since, as it would. */
  let told = 0;
  async function sendWebhooks(): Promise<void> {
    const events = stripe.account.events.slice(told);
    told = stripe.account.events.length;
    for (const { body } of events) {
      const header = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: webhookSecret });
      const reply = await pay.running.request('POST /payments/webhooks/{provider}', {
        principal: { id: 'anonymous', role: 'anonymous' },
        params: { provider: 'stripe' },
        body,
        headers: { 'stripe-signature': header },
      });
      assert.deepEqual([reply.status, reply.body], [200, { received: true }]);
    }
    await pay.drain();
  }

  it('reserves with manual capture, takes, and gives back, each under the key of its operation', async () => {
    const orderId = await delivered();
    assert.equal((await pay.refund(orderId, 90)).status, 201);
    await pay.drain();
    const { status, refundedMinor, operations } = await pay.paymentOf(orderId);
    assert.deepEqual([status, refundedMinor], ['captured', 90]);
    const intent = intentOf(orderId);
    assert.deepEqual(
      [intent?.status, intent?.amount_received, intent?.latest_charge?.amount_refunded],
      ['succeeded', 590, 90],
    );
    const sent = stripe.requests
      .flatMap(({ idempotencyKey }) => idempotencyKey ?? [])
      .filter((key) => key.includes(orderId));
    const keys = operations.map(({ idempotencyKey }) => idempotencyKey);
    assert.deepEqual(sent.filter((key) => !key.endsWith(':method')).toSorted(), keys.toSorted());
  });

  it('declines as Stripe does', async () => {
    const orderId = await booked('tok_chargeDeclinedInsufficientFunds');
    const { status, declineReason } = await pay.paymentOf(orderId);
    assert.deepEqual([status, declineReason], ['declined', 'insufficient_funds']);
    const wrong = await booked('card_7');
    assert.deepEqual((await pay.paymentOf(wrong)).declineReason, 'resource_missing');
  });

  it('captures the fee and so releases the rest; voids', async () => {
    const fee = await booked();
    await pay.tell('order.cancelled', fee, { from: 'arrived', by: { kind: 'customer' }, driverId: 'd1', version: 5 });
    const free = await booked();
    await pay.tell('order.cancelled', free, { from: 'scheduled', by: { kind: 'customer' }, version: 3 });
    await pay.drain();
    assert.deepEqual([intentOf(fee)?.amount_received, intentOf(fee)?.status], [295, 'succeeded']);
    assert.equal(intentOf(free)?.status, 'canceled');
    assert.deepEqual([(await pay.paymentOf(fee)).status, (await pay.paymentOf(free)).status], ['captured', 'voided']);
  });

  const steps = [
    ['authorise', '/v1/payment_intents'],
    ['capture', '/v1/payment_intents/{id}/capture'],
    ['void', '/v1/payment_intents/{id}/cancel'],
    ['refund', '/v1/refunds'],
  ] as const;
  const faults: readonly StripeFault[] = [
    'drop-before',
    'drop-after',
    'error-before',
    'error-after',
    'hang-after',
    'rate-limit',
  ];
  for (const [kind, path] of steps) {
    for (const fault of faults) {
      it(`${kind}: ${fault} moves the money once`, async () => {
        let times = 0;
        stripe.fault = (request) => {
          if (request.method !== 'POST' || request.path !== path) return undefined;
          times += 1;
          return times === 1 ? fault : undefined;
        };
        const orderId = await booked();
        if (kind === 'void') await pay.tell('order.cancelled', orderId, { version: 3 });
        else if (kind !== 'authorise') await pay.tell('order.delivered', orderId, { version: 7 });
        await pay.drain();
        if (kind === 'refund') await pay.refund(orderId, 590);
        await pay.drain();
        assert.ok(times >= 1);
        const { status, operations } = await pay.paymentOf(orderId);
        const ends = { authorise: 'authorised', capture: 'captured', void: 'voided', refund: 'refunded' };
        assert.equal(status, ends[kind]);
        assert.deepEqual(
          operations.filter((operation) => operation.kind === kind).map(({ number, status }) => [number, status]),
          [[1, 'succeeded']],
        );
        const intent = intentOf(orderId);
        assert.equal(
          intent?.status,
          { authorise: 'requires_capture', capture: 'succeeded', void: 'canceled', refund: 'succeeded' }[kind],
        );
        assert.equal(intent?.latest_charge?.amount_refunded ?? 0, kind === 'refund' ? 590 : 0);
      });
    }
  }

  it('never asks with another key when its own was used with other parameters', async () => {
    const orderId = await booked();
    await pay.data.sql(
      `update payments set method = 'pm_other', intent = 'unknown', provider_reference = null where order_id = $1`,
      [orderId],
    );
    const { operations } = await pay.paymentOf(orderId);
    await pay.data.sql(`update operations set status = 'pending', asks = 0 where order_id = $1`, [orderId]);
    // The answer is found by asking what became of the operation.
    await pay.running.work('payments.authorise', { operationId: operations[0]?.operationId });
    assert.equal((await pay.paymentOf(orderId)).status, 'authorised');
    assert.equal((await pay.paymentOf(orderId)).operations.length, 1);
  });

  it('follows webhooks: a refund in the dashboard, one that fails later, disputes, a reservation that expires', async () => {
    const orderId = await delivered();
    const id = intentOf(orderId)?.id ?? '';
    stripe.account.refundByHand(id, 200);
    await sendWebhooks();
    const refunded = await pay.paymentOf(orderId);
    assert.deepEqual([refunded.refundedMinor, refunded.operations.at(-1)?.requestedBy], [200, 'provider']);
    assert.equal((await pay.refund(orderId, 391)).code, 'PAYMENT_REFUND_TOO_LARGE');
    await pay.refund(orderId, 100);
    await pay.drain();
    const own = stripe.account.refunds.at(-1)?.id ?? '';
    stripe.account.failRefund(own);
    await sendWebhooks();
    assert.equal((await pay.paymentOf(orderId)).refundedMinor, 200);

    for (const status of ['needs_response', 'lost']) stripe.account.dispute(id, status);
    await sendWebhooks();
    assert.deepEqual(
      (await pay.paymentOf(orderId)).disputes.map(({ state }) => state),
      ['lost'],
    );
    const disputed = pay.data.find('payment.disputed').map(({ data }) => data['state']);
    assert.deepEqual(disputed, ['opened', 'lost']);

    const lapsed = await booked();
    stripe.account.expire(intentOf(lapsed)?.id ?? '');
    await sendWebhooks();
    assert.equal((await pay.paymentOf(lapsed)).status, 'voided');
    await pay.tell('order.delivered', lapsed, { version: 7 });
    await pay.drain();
    const owed = await pay.paymentOf(lapsed);
    assert.deepEqual([owed.status, owed.failureReason, owed.isOwed], ['capture_failed', 'authorisation_lost', true]);
  });

  it('leaves what other systems do on the same account alone', async () => {
    const foreign = stripe.account.addForeign(1000);
    stripe.account.expire(foreign);
    const before = pay.running.counted('returnit_payments_webhooks_total', { outcome: 'foreign' });
    await sendWebhooks();
    assert.equal(pay.running.counted('returnit_payments_webhooks_total', { outcome: 'foreign' }), before + 2);
  });
});
