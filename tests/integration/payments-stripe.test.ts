/**
 * Stripe's library, bundled and run in the plugin's own sandboxed process, against a server that behaves as documented,
 * while that process is killed and the provider's answers are lost. The orders are told by a plugin of the tests.
 */
import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import Stripe from 'stripe';
import type { Api } from '../support/api-client.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { startStripeServer, stripeSecretKey, type StripeFault, type StripeServer } from '../support/stripe-server.ts';
import { until } from '../support/until.ts';

const webhookSecret = 'whsec_platform';
/** However busy the machine is: only those are late that are held up here. */
const patienceMs = 240_000;

interface Payment {
  readonly paymentId: string;
  readonly status: string;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly operations: readonly { readonly kind: string; readonly status: string; readonly asks: number }[];
}

describe('payments with Stripe on the platform', { timeout: 1_200_000 }, () => {
  let stripe: StripeServer;
  let platform: TestPlatform;
  let ops: Api;
  const set = {
    PAYMENTS_PROVIDER: 'stripe',
    PAYMENTS_STRIPE_SECRET_KEY: stripeSecretKey,
    PAYMENTS_STRIPE_WEBHOOK_SECRET: webhookSecret,
    PAYMENTS_PROVIDER_TIMEOUT_MS: '3000',
  };
  before(async () => {
    stripe = await startStripeServer();
    Object.assign(process.env, set, { PAYMENTS_STRIPE_API_BASE: stripe.url.href });
    platform = await startPlatform({
      fixtures: ['teller'],
      netHosts: { payments: [stripe.url.host] },
      config: {
        plugins: ['payments', 'teller'],
        jobPollMs: 200,
        pluginRestartDelayMs: 20,
        pluginQuarantineDeaths: 100,
        pluginBootTimeoutMs: 120_000,
        pluginHeartbeatTimeoutMs: 60_000,
        pluginCallTimeoutMs: 60_000,
        httpRequestTimeoutMs: 60_000,
      },
    });
    ops = await platform.as('ops', 'o');
  });
  beforeEach(() => {
    stripe.fault = () => undefined;
    stripe.onMoved = () => undefined;
  });
  after(async () => {
    for (const name of [...Object.keys(set), 'PAYMENTS_STRIPE_API_BASE']) delete process.env[name];
    await platform?.stop();
    await stripe?.stop();
  });

  /** Undefined while there is none, and while the plugin is not there to say. */
  async function readPayment(orderId: string): Promise<Payment | undefined> {
    const list = await ops.request<{ payments: Payment[] }>('GET', `/payments?orderId=${orderId}`);
    if (list.status !== 200) return undefined;
    const detail = await ops.request<Payment>('GET', `/payments/${list.body.payments[0]?.paymentId}`);
    return detail.status === 200 ? detail.body : undefined;
  }
  const reached = (orderId: string, status: string): Promise<Payment> =>
    until(
      `the payment of ${orderId} is ${status}`,
      async () => {
        const payment = await readPayment(orderId);
        return payment?.status === status ? payment : undefined;
      },
      patienceMs,
    );
  const tell = (event: string, orderId: string, data: object = {}) =>
    ops.ok('POST', '/teller', { event, data: { orderId, ...data } });
  async function book(): Promise<string> {
    const orderId = randomUUIDv7();
    const payment = { amountMinor: 590, currency: 'EUR', method: 'tok_visa' };
    await tell('order.created', orderId, { customerId: 'c1', partnerId: null, payment });
    return orderId;
  }
  async function authorised(): Promise<string> {
    const orderId = await book();
    await reached(orderId, 'authorised');
    return orderId;
  }
  const intentsOf = (orderId: string) =>
    [...stripe.account.intents.values()].filter(({ metadata }) => metadata['order'] === orderId);
  const stepsOf = ({ operations }: Payment): string[] => operations.map(({ kind, status }) => `${kind} ${status}`);

  function pidOfPayments(): number {
    const line = platform.logs.findLast(({ msg }) => msg === 'plugin payments is ready');
    assert.ok(line !== undefined, 'the log names the process');
    return Number(line['pid']);
  }

  it('takes an order from the booking to the drop-off and refunds a part of it', async () => {
    const orderId = await authorised();
    await tell('order.delivered', orderId, { version: 7 });
    const { paymentId } = await reached(orderId, 'captured');
    await ops.ok('POST', `/payments/${paymentId}/refunds`, { amountMinor: 100, reason: 'late' });
    const isRefunded = async () => (await readPayment(orderId))?.refundedMinor === 100;
    await until('the refund is there', isRefunded, patienceMs);
    const [intent, ...others] = intentsOf(orderId);
    assert.deepEqual([intent?.status, intent?.amount_received, others.length], ['succeeded', 590, 0]);
    assert.equal(intent?.latest_charge?.amount_refunded, 100);
  });

  it('takes webhooks by HTTP when they are signed', async () => {
    const orderId = await authorised();
    const seen = stripe.account.events.length;
    stripe.account.expire(intentsOf(orderId)[0]?.id ?? '');
    const event = stripe.account.events[seen];
    assert.ok(event !== undefined);
    const send = (signature: string) =>
      platform.anonymous().request('POST', '/payments/webhooks/stripe', {
        raw: event.body,
        headers: { 'stripe-signature': signature },
      });
    const forged = await send(Stripe.webhooks.generateTestHeaderString({ payload: event.body, secret: 'whsec_guess' }));
    assert.deepEqual([forged.status, forged.body.code], [400, 'PAYMENT_WEBHOOK_UNSIGNED']);
    const header = Stripe.webhooks.generateTestHeaderString({ payload: event.body, secret: webhookSecret });
    for (const { status, body } of await Promise.all([send(header), send(header)])) {
      assert.deepEqual([status, body], [200, { received: true }]);
    }
    await reached(orderId, 'voided');
    const labels = { plugin: 'payments', outcome: 'duplicate' };
    assert.equal(await platform.sample('returnit_payments_webhooks_total', labels), 1);
  });

  const posts = { authorise: '/v1/payment_intents', capture: '/v1/payment_intents/{id}/capture' } as const;
  const faults: readonly StripeFault[] = ['drop-after', 'error-after', 'hang-after'];
  for (const kind of ['authorise', 'capture'] as const) {
    for (const fault of faults) {
      it(`${kind}: ${fault} moves the money once`, async () => {
        let times = 0;
        stripe.fault = ({ method, path }) => {
          if (method !== 'POST' || path !== posts[kind]) return undefined;
          times += 1;
          return times === 1 ? fault : undefined;
        };
        const orderId = await authorised();
        await tell('order.delivered', orderId, { version: 7 });
        const payment = await reached(orderId, 'captured');
        assert.deepEqual(stepsOf(payment), ['authorise succeeded', 'capture succeeded']);
        assert.equal(intentsOf(orderId).length, 1);
      });
    }

    it(`${kind}: the process is killed when the money has moved and before it knows`, async () => {
      let kills = 0;
      stripe.onMoved = ({ path }) => {
        if (path !== posts[kind] || kills > 0) return;
        kills += 1;
        process.kill(pidOfPayments(), 'SIGKILL');
      };
      const deaths = platform.deathsOf('payments');
      const orderId = await authorised();
      await tell('order.delivered', orderId, { version: 7 });
      const payment = await reached(orderId, 'captured');
      assert.equal(kills, 1);
      assert.ok(platform.deathsOf('payments') > deaths);
      assert.deepEqual(stepsOf(payment), ['authorise succeeded', 'capture succeeded']);
      assert.ok((payment.operations.find((operation) => operation.kind === kind)?.asks ?? 0) >= 2);
      assert.equal(intentsOf(orderId).length, 1);
    });
  }

  it('has the books at zero after all of it, and what was collected is what Stripe holds', async () => {
    const { balances } = await ops.ok<{ balances: { account: string; amountMinor: number }[] }>(
      'GET',
      '/payments/ledger/balances',
    );
    assert.equal(
      balances.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
      0,
    );
    const held = [...stripe.account.intents.values()].reduce(
      (sum, intent) => sum + intent.amount_received - (intent.latest_charge?.amount_refunded ?? 0),
      0,
    );
    assert.equal(balances.find(({ account }) => account === 'provider_clearing')?.amountMinor, held);
  });
});
