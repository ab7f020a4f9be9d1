/**
 * Something goes wrong at each point of an operation, and whatever it is: nothing moves twice, nothing is lost, and the
 * key stays. What the embedded provider has moved is compared with what stands here.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Database } from '#plugin-api';
import { doOperation, type AskDeps } from '../../../plugins/payments/ask.ts';
import type { OperationKind } from '../../../plugins/payments/operation.ts';
import {
  OutcomeUnknown,
  ProviderUnavailable,
  type PaymentProvider,
} from '../../../plugins/payments/providers/provider.ts';
import { createSandboxProvider } from '../../../plugins/payments/providers/sandbox-provider.ts';
import { createPaymentsFixture, type PaymentsFixture } from './payments-fixture.ts';

const signal = new AbortController().signal;
const kinds = ['authorise', 'capture', 'void', 'refund'] as const satisfies readonly OperationKind[];

type Point =
  | 'before the question'
  | 'the question'
  | 'the answer'
  | 'the answer and what is asked for then'
  | 'the commit';
const points: readonly Point[] = [
  'before the question',
  'the question',
  'the answer',
  'the answer and what is asked for then',
  'the commit',
];

describe('an operation that is interrupted', () => {
  let pay: PaymentsFixture;
  let sandbox: PaymentProvider;
  before(async () => {
    pay = await createPaymentsFixture({ PAYMENTS_SANDBOX_SLOW_MS: '20' });
    sandbox = createSandboxProvider({ db: pay.data.db, slowMs: 10, hasWebhooks: false });
  });
  afterEach(async () => {
    pay.hold();
    await pay.drain();
    await pay.checkBooks();
    await pay.agree();
  });
  after(() => pay.stop());

  /** Up to where an operation of this kind waits to be done. */
  async function prepare(kind: OperationKind): Promise<string> {
    pay.hold(`payments.${kind}`);
    const orderId = await pay.book();
    await pay.drain();
    if (kind === 'capture' || kind === 'refund') await pay.tell('order.delivered', orderId, { version: 7 });
    if (kind === 'void') await pay.tell('order.cancelled', orderId, { version: 3 });
    await pay.drain();
    if (kind === 'refund') assert.equal((await pay.refund(orderId, 100)).status, 201);
    return orderId;
  }

  /** A process that dies, or a line that breaks, at the point. */
  function depsFailingAt(point: Point): AskDeps {
    const die = (): never => {
      throw new Error('died');
    };
    const move =
      (kind: OperationKind) =>
      async (request: never): Promise<never> => {
        if (point === 'before the question') die();
        if (point === 'the question') throw new ProviderUnavailable('not reached');
        const answer = await sandbox[kind](request);
        if (point.startsWith('the answer')) throw new OutcomeUnknown('no answer in time');
        return answer as never;
      };
    const isDeaf = point === 'the answer and what is asked for then' || point === 'before the question';
    const provider: PaymentProvider = {
      ...sandbox,
      authorise: move('authorise'),
      capture: move('capture'),
      void: move('void'),
      refund: move('refund'),
      ...(isDeaf
        ? { find: () => Promise.reject(new Error('deaf')), inspect: () => Promise.reject(new Error('deaf')) }
        : {}),
    };
    const db: Database = {
      ...pay.data.db,
      ...(point === 'the commit' ? { transaction: () => Promise.reject(new Error('died')) } : {}),
    };
    const policy = { cancellationFee: { fixedMinor: 0, percent: 50 }, driverSharePercent: 70 };
    const providers = { names: ['sandbox'], of: () => provider } as const;
    return { db, metrics: { increment: () => undefined }, providers, policy, timeoutMs: 5000 };
  }

  for (const kind of kinds) {
    for (const point of points) {
      it(`${kind}: lost at ${point}`, async () => {
        const orderId = await prepare(kind);
        const before = (await pay.paymentOf(orderId)).operations.find((operation) => operation.kind === kind);
        assert.ok(before !== undefined && before.status === 'pending');
        const run = () => doOperation(depsFailingAt(point), { operationId: before.operationId, kind }, { signal });
        if (point === 'the answer') {
          // The provider was asked what became of it, there and then.
          await run();
        } else {
          await assert.rejects(run());
          await assert.rejects(run());
        }
        pay.hold();
        const { failures } = await pay.drain();
        assert.deepEqual(failures, []);
        const { operations, refundedMinor, status } = await pay.paymentOf(orderId);
        const same = operations.filter((operation) => operation.kind === kind);
        assert.deepEqual(
          same.map(({ idempotencyKey, status }) => [idempotencyKey, status]),
          [[before.idempotencyKey, 'succeeded']],
        );
        const ends = { authorise: 'authorised', capture: 'captured', void: 'voided', refund: 'captured' };
        assert.deepEqual([status, refundedMinor], [ends[kind], kind === 'refund' ? 100 : 0]);
        const [answers] = await pay.data.sql(
          'select count(*)::integer as count from sandbox_answers where idempotency_key = $1',
          [before.idempotencyKey],
        );
        assert.equal(answers?.['count'], 1);
      });
    }
  }

  for (const kind of ['capture', 'void', 'refund'] as const) {
    for (const fault of ['timeout', 'error', 'slow'] as const) {
      it(`${kind}: the provider's ${fault} ends as if it had answered`, async () => {
        const orderId = await pay.book({ method: `tok_${kind}_${fault}` });
        await pay.drain();
        if (kind === 'void') await pay.tell('order.cancelled', orderId, { version: 3 });
        else await pay.tell('order.delivered', orderId, { version: 7 });
        await pay.drain();
        if (kind === 'refund') await pay.refund(orderId, 590);
        await pay.drain();
        const { status } = await pay.paymentOf(orderId);
        assert.equal(status, { capture: 'captured', void: 'voided', refund: 'refunded' }[kind]);
      });
    }
  }

  it('authorise: a time-out and an error after the money was reserved are resolved by asking', async () => {
    for (const method of ['tok_timeout', 'tok_error']) {
      const found = () =>
        pay.running.counted('returnit_payments_ambiguous_total', { operation: 'authorise', resolution: 'found' });
      const before = found();
      const orderId = await pay.book({ method });
      const { failures } = await pay.drain();
      assert.deepEqual(failures, []);
      assert.equal((await pay.paymentOf(orderId)).status, 'authorised');
      assert.equal(found(), before + 1);
    }
  });

  it('gives back what the provider had reserved when nobody waits any more', async () => {
    const orderId = await prepare('authorise');
    const { operations } = await pay.paymentOf(orderId);
    const operationId = operations[0]?.operationId ?? '';
    const lost = depsFailingAt('the answer and what is asked for then');
    await assert.rejects(doOperation(lost, { operationId, kind: 'authorise' }, { signal }));
    await pay.tell('order.cancelled', orderId, { from: 'created', version: 2 });
    assert.equal((await pay.paymentOf(orderId)).status, 'cancelling');
    pay.hold();
    await pay.drain();
    assert.equal((await pay.paymentOf(orderId)).status, 'voided');
    assert.deepEqual(pay.eventsOf(orderId), ['payment.voided']);
  });

  it('ends the waiting of an order when the provider was away for too long, once, and asks on', async () => {
    pay.hold('payments.authorise');
    const orderId = await pay.book({ method: 'tok_unavailable' });
    const { operations } = await pay.paymentOf(orderId);
    const job = { operationId: operations[0]?.operationId };
    const work = (attempt: number) =>
      assert.rejects(pay.running.work('payments.authorise', job, attempt), /asked to fail/);
    await work(14);
    assert.equal((await pay.paymentOf(orderId)).status, 'pending');
    for (const attempt of [15, 16, 101]) {
      await work(attempt);
      assert.equal((await pay.paymentOf(orderId)).status, 'cancelling');
    }
    assert.deepEqual(pay.eventsOf(orderId), ['payment.failed']);
    assert.equal(pay.data.find('payment.failed').at(-1)?.data['reason'], 'provider-unavailable');
    assert.equal(pay.running.counted('returnit_payments_total', { operation: 'authorise', outcome: 'unavailable' }), 1);
  });

  it('takes jobs of an earlier version, which name the order alone', async () => {
    const orderId = await prepare('authorise');
    await pay.running.work('payments.authorise', { orderId });
    assert.equal((await pay.paymentOf(orderId)).status, 'authorised');
    await pay.running.work('payments.void', { orderId });
  });

  it('keeps operations and their keys, whoever wants them gone', async () => {
    const orderId = await prepare('authorise');
    const refused = (statement: string) =>
      assert.rejects(pay.data.sql(statement, [orderId]), /key is what keeps money/);
    await refused('delete from operations where order_id = $1');
    await refused(`update operations set idempotency_key = 'another' where order_id = $1`);
    await refused('update operations set amount_minor = 1 where order_id = $1');
  });
});
