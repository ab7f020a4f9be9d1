/**
 * Stripe's library, bundled and run in the plugin's own sandboxed process, against a server that behaves as documented,
 * while that process is killed and the provider's answers are lost.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import Stripe from 'stripe';
import { book, connectDriver, near, orderReached, placeOf, type Device } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { startStripeServer, stripeSecretKey, type StripeFault, type StripeServer } from '../support/stripe-server.ts';
import { until } from '../support/until.ts';

const webhookSecret = 'whsec_platform';
const place = placeOf(3);

interface Payment {
  readonly paymentId: string;
  readonly status: string;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly operations: readonly { readonly kind: string; readonly status: string; readonly asks: number }[];
}

describe('payments with Stripe on the platform', () => {
  let stripe: StripeServer;
  let platform: TestPlatform;
  let device: Device;
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
      fixtures: [],
      netHosts: { payments: [stripe.url.host] },
      config: {
        plugins: ['orders', 'payments', 'drivers', 'tracking'],
        jobPollMs: 200,
        pluginRestartDelayMs: 20,
        pluginQuarantineDeaths: 100,
        // However busy the machine is: only those die that are killed here.
        pluginBootTimeoutMs: 120_000,
        pluginHeartbeatTimeoutMs: 60_000,
      },
    });
    device = await connectDriver(platform, 'd-stripe');
    await device.publish(near(place, 2));
  });
  beforeEach(() => {
    stripe.fault = () => undefined;
    stripe.onMoved = () => undefined;
  });
  after(async () => {
    for (const name of [...Object.keys(set), 'PAYMENTS_STRIPE_API_BASE']) delete process.env[name];
    await device?.close();
    await platform?.stop();
    await stripe?.stop();
  });

  const paymentOf = async (orderId: string): Promise<Payment> => {
    const ops = await platform.as('ops', 'o');
    const { payments } = await ops.ok<{ payments: Payment[] }>('GET', `/payments?orderId=${orderId}`);
    return ops.ok<Payment>('GET', `/payments/${payments[0]?.paymentId}`);
  };
  const reached = (orderId: string, status: string): Promise<Payment> =>
    until(`the payment of ${orderId} is ${status}`, async () => {
      const payment = await paymentOf(orderId);
      return payment.status === status ? payment : undefined;
    });
  const intentsOf = (orderId: string) =>
    [...stripe.account.intents.values()].filter(({ metadata }) => metadata['order'] === orderId);

  async function assigned(): Promise<string> {
    const customer = await platform.as('customer', 'c-stripe');
    const { orderId } = await book(customer, place, { paymentMethod: 'tok_visa' });
    await orderReached(customer, orderId, 'assigned');
    return orderId;
  }
  async function deliver(orderId: string): Promise<void> {
    const ops = await platform.as('ops', 'o');
    for (const step of ['start', 'pickup', 'deliver']) await ops.ok('POST', `/orders/${orderId}/${step}`);
  }
  const pidOfPayments = (): number => {
    const line = platform.logs.findLast(
      ({ msg, pid }) => msg.startsWith('plugin payments is ready') && pid !== undefined,
    );
    assert.ok(line !== undefined, 'the log names the process');
    return Number(line['pid']);
  };

  it('takes an order from the booking to the drop-off and refunds a part of it', async () => {
    const orderId = await assigned();
    assert.equal((await paymentOf(orderId)).status, 'authorised');
    await deliver(orderId);
    const { paymentId, capturedMinor } = await reached(orderId, 'captured');
    const ops = await platform.as('ops', 'o');
    await ops.ok('POST', `/payments/${paymentId}/refunds`, { amountMinor: 100, reason: 'late' });
    await until('the refund is there', async () => (await paymentOf(orderId)).refundedMinor === 100);
    const [intent, ...others] = intentsOf(orderId);
    assert.deepEqual([intent?.status, intent?.amount_received, others.length], ['succeeded', capturedMinor, 0]);
    assert.equal(intent?.latest_charge?.amount_refunded, 100);
  });

  it('takes webhooks by HTTP when they are signed', async () => {
    const orderId = await assigned();
    const [intent] = intentsOf(orderId);
    const seen = stripe.account.events.length;
    stripe.account.expire(intent?.id ?? '');
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
  for (const kind of ['authorise', 'capture'] as const) {
    for (const fault of ['drop-after', 'error-after', 'hang-after'] as const satisfies readonly StripeFault[]) {
      it(`${kind}: ${fault} moves the money once`, async () => {
        let times = 0;
        stripe.fault = ({ method, path }) => {
          if (method !== 'POST' || path !== posts[kind]) return undefined;
          times += 1;
          return times === 1 ? fault : undefined;
        };
        const orderId = await assigned();
        await deliver(orderId);
        const { operations } = await reached(orderId, 'captured');
        assert.deepEqual(
          operations.map((operation) => `${operation.kind} ${operation.status}`),
          ['authorise succeeded', 'capture succeeded'],
        );
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
      const orderId = await assigned();
      await platform.reached('payments', 'ready');
      await deliver(orderId);
      const { operations } = await reached(orderId, 'captured');
      assert.equal(kills, 1);
      await platform.died('payments', deaths + 1);
      const interrupted = operations.find((operation) => operation.kind === kind);
      assert.deepEqual([interrupted?.status, operations.length, intentsOf(orderId).length], ['succeeded', 2, 1]);
      assert.ok((interrupted?.asks ?? 0) >= 2);
    });
  }

  it('has the books at zero after all of it', async () => {
    const ops = await platform.as('ops', 'o');
    const { balances } = await ops.ok<{ balances: { account: string; amountMinor: number }[] }>(
      'GET',
      '/payments/ledger/balances',
    );
    assert.equal(
      balances.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
      0,
    );
    const collected = [...stripe.account.intents.values()].reduce(
      (sum, intent) => sum + intent.amount_received - (intent.latest_charge?.amount_refunded ?? 0),
      0,
    );
    assert.equal(balances.find(({ account }) => account === 'provider_clearing')?.amountMinor, collected);
  });
});
