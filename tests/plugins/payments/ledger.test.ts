import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { postTransaction } from '../../../plugins/payments/ledger/ledger-store.ts';
import { createPaymentsFixture, ops, type PaymentsFixture } from './payments-fixture.ts';

describe('the ledger', () => {
  let pay: PaymentsFixture;
  before(async () => {
    pay = await createPaymentsFixture({ PAYMENTS_PAYOUT_MIN_MINOR: '500' });
  });
  afterEach(() => pay.checkBooks());
  after(() => pay.stop());

  async function completed(driverId: string | null, amountMinor = 590): Promise<string> {
    const orderId = await pay.book({ amountMinor });
    await pay.drain();
    await pay.tell('order.delivered', orderId, { version: 7 });
    await pay.drain();
    await pay.tell('order.completed', orderId, { version: 8, driverId });
    await pay.tell('order.completed', orderId, { version: 8, driverId });
    return orderId;
  }
  const balanceOf = async (driverId: string): Promise<unknown> => {
    const principal = { id: driverId, role: 'driver' } as const;
    const { body } = await pay.running.request('GET /payments/balance', { principal, query: { driverId: 'other' } });
    return body;
  };

  it('has what an order earned, its driver’s share and what was given back', async () => {
    const orderId = await completed('d1');
    await pay.refund(orderId, 100);
    await pay.drain();
    const entries: Record<string, unknown>[] = [];
    let cursor: string | null = null;
    do {
      const query = { orderId, limit: 2, ...(cursor === null ? {} : { cursor }) };
      const { body } = await pay.running.request('GET /payments/ledger', { principal: ops, query });
      entries.push(...(body['entries'] as Record<string, unknown>[]));
      cursor = body['nextCursor'] as string | null;
    } while (cursor !== null);
    assert.deepEqual(
      entries
        .toReversed()
        .map(({ kind, account, owner, amountMinor }) => [kind, account, owner, amountMinor].join(' ')),
      [
        'capture provider_clearing  590',
        'capture revenue  -590',
        'share driver_costs  413',
        'share driver_payable d1 -413',
        'refund refunds  100',
        'refund provider_clearing  -100',
      ],
    );
    const wrong = await pay.running.request('GET /payments/ledger', { principal: ops, query: { cursor: 'bm8' } });
    assert.equal(wrong.code, 'PAYMENT_CURSOR_INVALID');
  });

  it('has its balances at zero together', async () => {
    await completed('d1');
    const { body } = await pay.running.request('GET /payments/ledger/balances', { principal: ops });
    const balances = body['balances'] as { account: string; amountMinor: number }[];
    assert.ok(balances.length >= 4);
    assert.equal(
      balances.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
      0,
    );
  });

  it('refuses a transaction that does not sum to zero, and any change of what stands in it', async () => {
    const entries = [
      { account: 'revenue', amountMinor: -5 },
      { account: 'bank', amountMinor: 4 },
    ] as const;
    const post = () =>
      pay.data.db.transaction((tx) =>
        postTransaction(tx, { reference: 'wrong', kind: 'capture', currency: 'EUR', entries }, null),
      );
    await assert.rejects(post(), /does not sum to zero: -1/);
    await completed('d1');
    for (const statement of [
      'update ledger_entries set amount_minor = 1',
      'delete from ledger_entries',
      'truncate ledger_entries',
      `update ledger_transactions set kind = 'x'`,
      'delete from ledger_transactions',
    ]) {
      await assert.rejects(pay.data.sql(statement), /what stands in the ledger stays/, statement);
    }
    await pay.running.repeat('figures');
    assert.equal(pay.running.shown('returnit_payments_ledger_imbalance_minor'), 0);
  });

  it('pays drivers out what they have earned, once, whoever runs it at the same time', async () => {
    await Promise.all([completed('d2'), completed('d2'), completed('d3', 100), completed(null)]);
    assert.deepEqual(await balanceOf('d2'), { driverId: 'd2', balances: [{ currency: 'EUR', amountMinor: 826 }] });
    await Promise.all(Array.from({ length: 10 }, () => pay.running.work('payments.payout', {})));
    assert.deepEqual(await balanceOf('d2'), { driverId: 'd2', balances: [{ currency: 'EUR', amountMinor: 0 }] });
    // Below the minimum it stays for the next time.
    assert.deepEqual(await balanceOf('d3'), { driverId: 'd3', balances: [{ currency: 'EUR', amountMinor: 70 }] });
    const list = (id: string) =>
      pay.running.request('GET /payments/payouts', { principal: { id, role: 'driver' }, query: {} });
    const payouts = (await list('d2')).body['payouts'] as Record<string, unknown>[];
    assert.deepEqual(
      payouts.map(({ driverId, amountMinor, status, number }) => [driverId, amountMinor, status, number]),
      [['d2', 826, 'created', 1]],
    );
    assert.deepEqual((await list('d3')).body['payouts'], []);
    await completed('d2');
    await pay.running.work('payments.payout', {});
    assert.deepEqual(await balanceOf('d2'), { driverId: 'd2', balances: [{ currency: 'EUR', amountMinor: 413 }] });
    await completed('d2');
    await pay.running.work('payments.payout', {});
    assert.equal(((await list('d2')).body['payouts'] as unknown[]).length, 2);
  });

  it('notes what the bank has transferred, once', async () => {
    await Promise.all([completed('d4'), completed('d4')]);
    await pay.running.work('payments.payout', {});
    const query = { driverId: 'd4' };
    const { body } = await pay.running.request('GET /payments/payouts', { principal: ops, query });
    const [payout] = body['payouts'] as { payoutId: string }[];
    const params = { payoutId: payout?.payoutId ?? '' };
    const paid = () => pay.running.request('POST /payments/payouts/{payoutId}/paid', { principal: ops, params });
    const replies = await Promise.all([paid(), paid(), paid()]);
    assert.deepEqual(
      replies.map(({ body: shown }) => shown['status']),
      ['paid', 'paid', 'paid'],
    );
    const [bank] = await pay.data.sql(
      `select sum(amount_minor)::integer as sum from ledger_entries where account = 'bank'`,
    );
    assert.equal(bank?.['sum'], -826);
    assert.equal(pay.running.counted('returnit_payments_payouts_total', { outcome: 'paid' }), 1);
    const unknown = { payoutId: '018f2f5a-0000-7000-8000-000000000000' };
    const missing = await pay.running.request('POST /payments/payouts/{payoutId}/paid', {
      principal: ops,
      params: unknown,
    });
    assert.equal(missing.code, 'PAYOUT_NOT_FOUND');
  });

  it('lists payouts page by page, each once', async () => {
    await Promise.all(['d5', 'd6', 'd7'].flatMap((id) => [completed(id), completed(id)]));
    await pay.running.work('payments.payout', {});
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query = { limit: 1, ...(cursor === null ? {} : { cursor }) };
      const { body } = await pay.running.request('GET /payments/payouts', { principal: ops, query });
      seen.push(...(body['payouts'] as { payoutId: string }[]).map(({ payoutId }) => payoutId));
      cursor = body['nextCursor'] as string | null;
    } while (cursor !== null);
    const [rows] = await pay.data.sql('select count(*)::integer as count from payouts');
    assert.equal(seen.length, rows?.['count']);
    assert.equal(new Set(seen).size, seen.length);
  });
});
