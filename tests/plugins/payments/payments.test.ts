import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { giveUp, openPayment } from '../../../plugins/payments/events.ts';
import { authorise, giveUpWaiting, voidPayment } from '../../../plugins/payments/jobs.ts';
import { authorisation, operationKey, settle } from '../../../plugins/payments/payment.ts';
import { plugin } from '../../../plugins/payments/plugin.ts';
import type { Authorisation, AuthoriseRequest, PaymentProvider } from '../../../plugins/payments/provider.ts';
import { sandboxLimitMinor, sandboxProvider } from '../../../plugins/payments/sandbox-provider.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin } from '../support/plugin-context.ts';

const signal = new AbortController().signal;

/** A provider that keeps its promise: one operation a key, however often it is asked. */
function createRecordingProvider(answer: (request: AuthoriseRequest) => Authorisation | Promise<Authorisation>) {
  const holds = new Map<string, Authorisation>();
  const voids: string[] = [];
  let asked = 0;
  const provider: PaymentProvider = {
    name: 'recording',
    async authorise(request) {
      asked += 1;
      const known = holds.get(request.idempotencyKey) ?? (await answer(request));
      holds.set(request.idempotencyKey, known);
      return known;
    },
    void({ reference }) {
      voids.push(reference);
      return Promise.resolve();
    },
  };
  return { provider, holds, voids, asked: () => asked };
}

const approve = (): Authorisation => ({ kind: 'authorised', reference: 'r1' });

describe('payments', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('payments');
  });
  after(() => data.stop());
  let orderId: string;
  beforeEach(() => {
    orderId = randomUUIDv7();
  });

  const toOrder = (method = 'tok_default') => ({
    orderId,
    customerId: 'c1',
    partnerId: null,
    payment: { amountMinor: 590, currency: 'EUR', method },
  });
  const open = (method?: string): Promise<void> => data.db.transaction((tx) => openPayment(tx, toOrder(method)));
  const cancel = (): Promise<void> => data.db.transaction((tx) => giveUp(tx, orderId));
  const statusOf = async (): Promise<unknown> =>
    (await data.sql('select status from payments where order_id = $1', [orderId]))[0]?.['status'];
  const sentFor = (): string[] =>
    data.sent.filter((entry) => entry.data['orderId'] === orderId).map(({ name }) => name);
  const run = (provider: PaymentProvider) => authorise(data.db, provider, { data: { orderId }, signal });

  it('asks the provider for one operation whatever is delivered twice, also at the same time', async () => {
    const recording = createRecordingProvider(approve);
    await Promise.all([open(), open(), open()]);
    assert.deepEqual(sentFor(), ['payments.authorise']);
    await Promise.all(Array.from({ length: 5 }, () => run(recording.provider)));
    assert.equal(await run(recording.provider), 'repeated');
    assert.deepEqual([...recording.holds.keys()], [operationKey(orderId, 'authorise')]);
    assert.deepEqual(sentFor(), ['payments.authorise', 'payment.authorised']);
    assert.equal(await statusOf(), 'authorised');
  });

  it('asks again with the same key after a failure, and announces the outcome once', async () => {
    let failures = 2;
    const recording = createRecordingProvider(() => {
      if (failures > 0) {
        failures -= 1;
        throw new Error('no answer');
      }
      return approve();
    });
    await open();
    await assert.rejects(run(recording.provider), /no answer/);
    await assert.rejects(run(recording.provider), /no answer/);
    assert.equal(await statusOf(), 'pending');
    assert.equal(await run(recording.provider), 'authorised');
    assert.equal(recording.asked(), 3);
    assert.equal(recording.holds.size, 1);
  });

  it('announces a decline with its reason', async () => {
    await open('tok_declined');
    assert.equal(await run(sandboxProvider), 'declined');
    const declined = data.find('payment.declined').at(-1);
    assert.deepEqual(declined?.data, { orderId, customerId: 'c1', reason: 'card_declined' });
  });

  it('does not ask for an order that was cancelled before', async () => {
    const recording = createRecordingProvider(approve);
    await open();
    await cancel();
    assert.equal(await statusOf(), 'cancelled');
    assert.equal(await run(recording.provider), 'repeated');
    assert.equal(recording.asked(), 0);
  });

  it('opens nothing when the cancellation overtakes the booking', async () => {
    await cancel();
    await open();
    assert.equal(await statusOf(), 'cancelled');
    assert.deepEqual(sentFor(), []);
  });

  it('gives the money back when the order is cancelled after the authorisation, once', async () => {
    const recording = createRecordingProvider(approve);
    await open();
    await run(recording.provider);
    await cancel();
    await cancel();
    const voidNow = () => voidPayment(data.db, recording.provider, { data: { orderId }, signal });
    assert.equal(await voidNow(), 'voided');
    assert.equal(await voidNow(), 'repeated');
    assert.deepEqual(recording.voids, ['r1']);
    assert.deepEqual(sentFor(), ['payments.authorise', 'payment.authorised', 'payments.void', 'payment.voided']);
  });

  it('gives the money back when the order is cancelled while the provider is asked', async () => {
    const recording = createRecordingProvider(async () => {
      await cancel();
      return approve();
    });
    await open();
    assert.equal(await run(recording.provider), 'voiding');
    assert.deepEqual(sentFor(), ['payments.authorise', 'payments.void']);
    assert.equal(await voidPayment(data.db, recording.provider, { data: { orderId }, signal }), 'voided');
  });

  it('finds out about an authorisation that a crash hid, when the order was cancelled meanwhile', async () => {
    // The provider holds the money, but the process died before it could write that down.
    const recording = createRecordingProvider(approve);
    const crashing: PaymentProvider = {
      ...recording.provider,
      async authorise(request) {
        await recording.provider.authorise(request);
        throw new Error('died');
      },
    };
    await open();
    await assert.rejects(run(crashing), /died/);
    await cancel();
    assert.equal(await statusOf(), 'cancelling');
    assert.equal(await run(recording.provider), 'voiding');
    assert.equal(recording.holds.size, 1);
  });

  it('ends the waiting of an order when the provider was away for too long, once', async () => {
    const running = await runPlugin(plugin, data.db);
    await open('tok_unavailable');
    const work = (attempt: number) => running.work('payments.authorise', { orderId }, attempt);
    const { attemptsWaitedFor, retryLimit } = authorisation;
    await assert.rejects(work(attemptsWaitedFor - 1), /Cannot reach the sandbox provider/);
    assert.equal(await statusOf(), 'pending');
    assert.deepEqual(sentFor(), ['payments.authorise']);
    for (const attempt of [attemptsWaitedFor, attemptsWaitedFor + 1, retryLimit + 1]) {
      await assert.rejects(work(attempt), /Cannot reach the sandbox provider/);
      assert.equal(await statusOf(), 'cancelling');
    }
    assert.deepEqual(sentFor(), ['payments.authorise', 'payment.failed']);
    const failed = data.find('payment.failed').at(-1);
    assert.deepEqual(failed?.data, { orderId, customerId: 'c1', reason: 'provider-unavailable' });
    assert.equal(running.counted('returnit_payments_total', { operation: 'authorise', outcome: 'unavailable' }), 1);
  });

  it('gives back what the provider had authorised when nobody waits any more', async () => {
    // The provider took the money, and every answer is lost until after the order was given up.
    const recording = createRecordingProvider(approve);
    const deaf: PaymentProvider = {
      ...recording.provider,
      async authorise(request) {
        await recording.provider.authorise(request);
        throw new Error('no answer');
      },
    };
    await open();
    await assert.rejects(run(deaf), /no answer/);
    assert.equal(await giveUpWaiting(data.db, orderId), true);
    assert.equal(await giveUpWaiting(data.db, orderId), false);
    // The order's cancellation, which follows, changes nothing.
    await cancel();
    assert.equal(await statusOf(), 'cancelling');
    assert.equal(await run(recording.provider), 'voiding');
    assert.equal(await voidPayment(data.db, recording.provider, { data: { orderId }, signal }), 'voided');
    assert.deepEqual([...recording.holds.keys()], [operationKey(orderId, 'authorise')]);
    assert.deepEqual(recording.voids, ['r1']);
    assert.deepEqual(sentFor(), ['payments.authorise', 'payment.failed', 'payments.void', 'payment.voided']);
  });

  it('does not give up what has its answer', async () => {
    await open();
    await run(createRecordingProvider(approve).provider);
    assert.equal(await giveUpWaiting(data.db, orderId), false);
    assert.equal(await statusOf(), 'authorised');
  });

  it('shows payments to the owner and ops, and to nobody else', async () => {
    const running = await runPlugin(plugin, data.db);
    await running.deliver('order.created', { ...toOrder(), partnerId: 'p1' });
    await running.work('payments.authorise', { orderId });
    const ask = (role: 'customer' | 'partner' | 'ops', id: string) =>
      running.request('GET /payments', { principal: { id, role }, query: { orderId } });
    for (const [role, id] of [
      ['customer', 'c1'],
      ['partner', 'p1'],
      ['ops', 'o1'],
    ] as const) {
      const { status, body } = await ask(role, id);
      assert.equal(status, 200);
      const [payment] = body['payments'] as Record<string, unknown>[];
      assert.deepEqual([payment?.['status'], payment?.['amountMinor']], ['authorised', 590]);
      assert.equal(Object.hasOwn(payment ?? {}, 'customerId'), false);
    }
    for (const role of ['customer', 'partner'] as const) {
      assert.equal((await ask(role, 'other')).code, 'PAYMENT_NOT_FOUND');
    }
    assert.equal(running.counted('returnit_payments_total', { operation: 'authorise', outcome: 'authorised' }), 1);
    assert.doesNotMatch(JSON.stringify(running.recorded.logs), /tok_/);
  });
});

describe('sandboxProvider', () => {
  const ask = (changes: Partial<AuthoriseRequest>) =>
    sandboxProvider.authorise({
      idempotencyKey: 'k1',
      amountMinor: 590,
      currency: 'EUR',
      method: 'tok_default',
      signal,
      ...changes,
    });

  it('decides by token, then by amount, and answers the same to the same key', async () => {
    assert.deepEqual(await ask({}), await ask({}));
    assert.notDeepEqual(await ask({}), await ask({ idempotencyKey: 'k2' }));
    assert.deepEqual(await ask({ method: 'tok_expired' }), { kind: 'declined', reason: 'card_expired' });
    assert.deepEqual(await ask({ amountMinor: sandboxLimitMinor + 1 }), {
      kind: 'declined',
      reason: 'amount_over_limit',
    });
    assert.equal((await ask({ amountMinor: sandboxLimitMinor })).kind, 'authorised');
    await assert.rejects(ask({ method: 'tok_unavailable' }), /Cannot reach the sandbox provider/);
  });
});

describe('settle()', () => {
  it('knows what each answer makes of each waiting payment', () => {
    const declined: Authorisation = { kind: 'declined', reason: 'no' };
    assert.deepEqual(
      [
        settle('pending', approve()).to,
        settle('cancelling', approve()).to,
        settle('pending', declined).to,
        settle('cancelling', declined).to,
      ],
      ['authorised', 'voiding', 'declined', 'cancelled'],
    );
  });
});
