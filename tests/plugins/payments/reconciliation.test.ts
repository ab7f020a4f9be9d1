import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { compare } from '../../../plugins/payments/reconciliation/compare.ts';
import { createPaymentsFixture, ops, type PaymentsFixture } from './payments-fixture.ts';

interface Difference {
  readonly differenceId: string;
  readonly kind: string;
  readonly orderId: string | null;
  readonly here: string | null;
  readonly there: string | null;
  readonly resolvedAt: string | null;
}

describe('reconciliation', () => {
  let pay: PaymentsFixture;
  before(async () => {
    pay = await createPaymentsFixture({ PAYMENTS_RECONCILE_SETTLE_MINUTES: '0' });
  });
  beforeEach(async () => {
    await pay.data.sql('delete from differences');
  });
  afterEach(() => pay.checkBooks());
  after(() => pay.stop());

  async function delivered(): Promise<string> {
    const orderId = await pay.book();
    await pay.drain();
    await pay.tell('order.delivered', orderId, { version: 7 });
    await pay.drain();
    return orderId;
  }
  const reconcile = async (): Promise<void> => {
    await pay.running.work('payments.reconcile', {});
    const { failures } = await pay.drain();
    assert.deepEqual(failures, []);
  };
  const differences = async (state = 'all'): Promise<Difference[]> => {
    const { body } = await pay.running.request('GET /payments/differences', { principal: ops, query: { state } });
    return body['differences'] as Difference[];
  };
  const unreconciled = () => pay.data.find('payment.unreconciled').length;
  const gauge = async (): Promise<number | undefined> => {
    await pay.running.repeat('figures');
    return pay.running.shown('returnit_payments_unreconciled');
  };

  it('finds nothing where both say the same, page by page', async () => {
    for (let batch = 0; batch < 11; batch += 1) await Promise.all(Array.from({ length: 10 }, () => pay.book()));
    await pay.drain();
    await delivered();
    await reconcile();
    assert.deepEqual(await differences(), []);
    const { body } = await pay.running.request('GET /payments/reconciliations', { principal: ops });
    const [run] = body['reconciliations'] as Record<string, unknown>[];
    assert.deepEqual([run?.['state'], run?.['differences'], run?.['provider']], ['done', 0, 'sandbox']);
    assert.ok(Number(run?.['compared']) >= 111);
    assert.equal(await gauge(), 0);
  });

  it('finds what was done at the provider and never told, puts it down, and takes it over', async () => {
    const captured = await pay.book();
    await pay.drain();
    await pay.data.sql(`update sandbox_payments set state = 'captured', captured_minor = 590 where order_id = $1`, [
      captured,
    ]);
    const before = unreconciled();
    await reconcile();
    const [difference] = await differences();
    assert.deepEqual(
      [difference?.kind, difference?.orderId, difference?.here, difference?.there],
      [
        'other_state',
        captured,
        'authorised, 590 EUR, 0 captured, 0 refunded',
        'captured, 590 EUR, 590 captured, 0 refunded',
      ],
    );
    assert.notEqual(difference?.resolvedAt, null);
    assert.equal(unreconciled(), before + 1);
    assert.equal((await pay.paymentOf(captured)).status, 'captured');
    await reconcile();
    assert.equal((await differences()).length, 1);
  });

  it('finds what was booked long before the span: what is still reserved, and what was paid in it', async () => {
    const [reserved, paid, untouched] = [await pay.book(), await pay.book(), await pay.book()];
    await pay.drain();
    for (const table of ['payments', 'sandbox_payments'])
      await pay.data.sql(`update ${table} set created_at = now() - interval '40 days' where order_id = any($1)`, [
        [reserved, paid, untouched],
      ]);
    await pay.tell('order.delivered', paid, { version: 7 });
    await pay.drain();
    await pay.data.sql(
      `insert into sandbox_refunds (reference, payment_reference, operation_id, amount_minor)
       select 'by_hand_late', reference, 'none', 40 from sandbox_payments where order_id = $1`,
      [paid],
    );
    await pay.data.sql(`update sandbox_payments set state = 'voided', reason = 'automatic' where order_id = $1`, [
      reserved,
    ]);
    await reconcile();
    const found = (await differences()).map(({ kind, orderId }) => `${kind} ${orderId}`).toSorted();
    assert.deepEqual(found, [`other_amount ${paid}`, `other_state ${reserved}`].toSorted());
    assert.equal((await pay.paymentOf(paid)).refundedMinor, 40);
    assert.deepEqual(
      [(await pay.paymentOf(reserved)).status, (await pay.paymentOf(untouched)).status],
      ['voided', 'authorised'],
    );
  });

  it('finds a refund that nobody told of', async () => {
    const orderId = await delivered();
    await pay.data.sql(
      `insert into sandbox_refunds (reference, payment_reference, operation_id, amount_minor)
       select 'by_hand', reference, 'none', 40 from sandbox_payments where order_id = $1`,
      [orderId],
    );
    await reconcile();
    assert.deepEqual(
      (await differences()).map(({ kind }) => kind),
      ['other_amount'],
    );
    assert.equal((await pay.paymentOf(orderId)).refundedMinor, 40);
  });

  it('finds what is missing there, and here, and tells of it once however many nights it stays', async () => {
    const there = await delivered();
    const moved = await pay.data.sql('select * from sandbox_payments where order_id = $1', [there]);
    await pay.data.sql('delete from sandbox_payments where order_id = $1', [there]);
    await pay.data.sql(
      `insert into sandbox_payments (reference, operation_id, order_id, method, state, amount_minor, currency)
       values ('stray', gen_random_uuid(), 'o-stray', 'tok_default', 'authorised', 77, 'EUR')`,
    );
    const before = unreconciled();
    await reconcile();
    await reconcile();
    const found = (await differences('open')).map(({ kind, orderId }) => `${kind} ${orderId}`).toSorted();
    assert.deepEqual(found, ['missing_here null', `missing_there ${there}`]);
    assert.equal(unreconciled(), before + 2);
    const data = pay.data.find('payment.unreconciled').at(-1)?.data ?? {};
    assert.ok('difference' in data);
    assert.equal(await gauge(), 2);

    await pay.data.sql(`delete from sandbox_payments where reference = 'stray'`);
    const stray = (await differences('open')).find(({ kind }) => kind === 'missing_here');
    const resolve = (differenceId: string) =>
      pay.running.request('POST /payments/differences/{differenceId}/resolve', {
        principal: ops,
        params: { differenceId },
      });
    assert.notEqual((await resolve(stray?.differenceId ?? '')).body['resolvedAt'], null);
    assert.equal((await resolve('018f2f5a-0000-7000-8000-000000000000')).code, 'PAYMENT_DIFFERENCE_NOT_FOUND');
    // What is there again is one difference less.
    const { reference, operation_id: operation } = moved[0] ?? {};
    await pay.data.sql(
      `insert into sandbox_payments (reference, operation_id, order_id, method, state, amount_minor, captured_minor, currency)
       values ($1, $2, $3, 'tok_default', 'captured', 590, 590, 'EUR')`,
      [reference, operation, there],
    );
    await reconcile();
    assert.deepEqual(await differences('open'), []);
  });

  it('does not report what is under way, and asks about what has no answer for a day', async () => {
    const settling = await createPaymentsFixture();
    try {
      settling.hold('payments.capture');
      const orderId = await settling.book();
      await settling.drain();
      await settling.tell('order.delivered', orderId, { version: 7 });
      // The provider has it, the answer is on its way.
      await settling.data.sql(`update sandbox_payments set state = 'captured', captured_minor = 590`);
      await settling.data.sql(`update sandbox_payments set created_at = now() - interval '2 hours'`);
      await settling.data.sql(`update operations set asked_at = now(), asks = 1 where kind = 'capture'`);
      await settling.running.work('payments.reconcile', {});
      await settling.drain();
      assert.equal(settling.data.find('payment.unreconciled').length, 0);

      await settling.data.sql(`alter table operations disable trigger all`);
      await settling.data.sql(`update operations set created_at = now() - interval '2 days' where kind = 'capture'`);
      await settling.running.work('payments.reconcile', {});
      await settling.drain();
      const reminder = settling.data.find('payments.capture').at(-1);
      assert.match(reminder?.options?.singletonKey ?? '', /^again:/);
      settling.hold();
      await settling.drain();
      assert.equal((await settling.paymentOf(orderId)).status, 'captured');
      await settling.checkBooks();
    } finally {
      await settling.stop();
    }
  });

  it('forgets webhook events long after they could come again', async () => {
    await pay.data.sql(
      `insert into webhook_events (provider, event_id, type, received_at)
       values ('sandbox', 'old', 'x', now() - interval '31 days'), ('sandbox', 'new', 'x', now() - interval '29 days')`,
    );
    await reconcile();
    assert.deepEqual(await pay.data.sql(`select event_id from webhook_events where type = 'x'`), [{ event_id: 'new' }]);
  });
});

describe('compare()', () => {
  const here = { intent: 'captured', amountMinor: 590, capturedMinor: 590, refundedMinor: 0, currency: 'EUR' } as const;
  const there = {
    ...here,
    state: 'captured',
    reference: 'r',
    operationId: 'o',
    reason: null,
    refunds: [],
    disputes: [],
  } as const;

  it('knows each difference, and a refund that was not asked for as none', () => {
    assert.equal(compare(here, there), undefined);
    assert.equal(compare(here, { ...there, refundedMinor: null }), undefined);
    assert.equal(compare(undefined, undefined), undefined);
    assert.equal(compare(undefined, there)?.kind, 'missing_here');
    assert.equal(compare(here, undefined)?.kind, 'missing_there');
    assert.equal(compare(here, { ...there, state: 'authorised' })?.kind, 'other_state');
    for (const change of [{ amountMinor: 1 }, { capturedMinor: 1 }, { refundedMinor: 1 }, { currency: 'USD' }]) {
      assert.equal(compare(here, { ...there, ...change })?.kind, 'other_amount');
    }
  });
});
