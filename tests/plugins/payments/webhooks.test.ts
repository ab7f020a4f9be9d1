import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Queryable } from '#plugin-api';
import { createSandboxSecret } from '../../../plugins/payments/providers/sandbox-events.ts';
import { sign } from '../../../plugins/payments/webhooks/signature.ts';
import { until } from '../../support/until.ts';
import { createPaymentsFixture, type PaymentsFixture } from './payments-fixture.ts';

describe('webhooks', () => {
  let pay: PaymentsFixture;
  let secret: string;
  before(async () => {
    pay = await createPaymentsFixture({ PAYMENTS_SANDBOX_SLOW_MS: '2000' });
    secret = String((await pay.data.sql('select secret from sandbox_secret'))[0]?.['secret']);
  });
  afterEach(() => pay.checkBooks());
  after(() => pay.stop());

  const counted = (outcome: string) => pay.running.counted('returnit_payments_webhooks_total', { outcome });
  const send = (body: string, header = sign(body, { secret, atMs: Date.now() }), provider = 'sandbox') =>
    pay.running.request('POST /payments/webhooks/{provider}', {
      principal: { id: 'anonymous', role: 'anonymous' },
      params: { provider },
      body,
      headers: { 'sandbox-signature': header },
    });
  const eventOf = (reference: string, type = 'payment_intent.succeeded', id = `evt_${randomUUID()}`) =>
    JSON.stringify({ id, type, data: { object: { id: reference, object: 'payment_intent' } } });
  const referenceOf = async (orderId: string): Promise<string> =>
    String(
      (await pay.data.sql('select provider_reference from payments where order_id = $1', [orderId]))[0]?.[
        'provider_reference'
      ],
    );

  it('are refused before anything else when they are not signed, or too old', async () => {
    const rowsBefore = await pay.data.sql('select count(*)::integer as rows from webhook_events');
    const body = eventOf('sandbox_pay_1');
    const old = sign(body, { secret, atMs: Date.now() - 301_000 });
    for (const header of ['', 't=1,v1=00', sign(body, { secret: 'whsec_guess', atMs: Date.now() }), old]) {
      assert.equal((await send(body, header)).code, 'PAYMENT_WEBHOOK_UNSIGNED');
      // Not even whether it is JSON is told to those who cannot sign.
      assert.equal((await send('no json', header)).code, 'PAYMENT_WEBHOOK_UNSIGNED');
    }
    assert.equal((await send(body, 'x', 'stripe')).code, 'PAYMENT_PROVIDER_UNKNOWN');
    assert.equal((await send(body, 'x', 'constructor')).code, 'PAYMENT_PROVIDER_UNKNOWN');
    for (const text of ['no json', '[]', '{}', '{"id":"a b","type":"x"}', 'null']) {
      assert.equal((await send(text)).code, 'PAYMENT_WEBHOOK_MALFORMED');
    }
    assert.deepEqual(await pay.data.sql('select count(*)::integer as rows from webhook_events'), rowsBefore);
    assert.ok(counted('signature') >= 8 && counted('malformed') >= 5);
  });

  it('cost no statement of the database when they are not signed', async () => {
    let statements = 0;
    const counting: Queryable = {
      query: (statement, values) => {
        statements += 1;
        return pay.data.db.query(statement, values);
      },
    };
    const secrets = createSandboxSecret(counting);
    assert.deepEqual(await secrets(), [secret]);
    for (let count = 0; count < 10; count += 1) await secrets();
    assert.equal(statements, 1);
    const away: Queryable = { query: () => Promise.reject(new Error('the database is away')) };
    const failing = createSandboxSecret(away);
    await assert.rejects(failing(), { message: 'the database is away' });
    await assert.rejects(failing(), { message: 'the database is away' }, 'and is asked again');
  });

  it('are stored once, answered 200 each time, and dealt with by a job', async () => {
    const body = eventOf('sandbox_pay_unknown');
    const before = pay.data.find('payments.webhook').length;
    for (const reply of await Promise.all(Array.from({ length: 5 }, () => send(body)))) {
      assert.deepEqual([reply.status, reply.body], [200, { received: true }]);
    }
    assert.equal(pay.data.find('payments.webhook').length, before + 1);
    assert.ok(counted('stored') >= 1 && counted('duplicate') >= 4);
    await pay.drain();
    assert.ok(counted('foreign') >= 1);
    const again = pay.data.find('payments.webhook').at(-1)?.data ?? {};
    await pay.running.work('payments.webhook', again);
    assert.ok(counted('repeated') >= 1);
  });

  it('of unknown types and about no payment change nothing', async () => {
    const orderId = await pay.book();
    await pay.drain();
    const reference = await referenceOf(orderId);
    const ignored = counted('ignored');
    await send(eventOf(reference, 'customer.created'));
    await send(JSON.stringify({ id: `evt_${randomUUID()}`, type: 'charge.updated', data: { object: { id: 'ch_1' } } }));
    await send(JSON.stringify({ id: `evt_${randomUUID()}`, type: 'charge.updated', data: null }));
    await pay.drain();
    assert.equal(counted('ignored'), ignored + 3);
    assert.equal((await pay.paymentOf(orderId)).status, 'authorised');
  });

  it('say nothing that is believed: what is true is asked for', async () => {
    const orderId = await pay.book();
    await pay.drain();
    const reference = await referenceOf(orderId);
    for (const type of ['payment_intent.canceled', 'payment_intent.succeeded', 'payment_intent.payment_failed']) {
      await send(eventOf(reference, type));
    }
    await pay.drain();
    assert.equal((await pay.paymentOf(orderId)).status, 'authorised');
    assert.deepEqual(pay.eventsOf(orderId), ['payment.authorised']);
  });

  it('that come before the answer are as good as the answer', async () => {
    const authorised = () =>
      pay.running.counted('returnit_payments_total', { operation: 'authorise', outcome: 'authorised' });
    const before = authorised();
    const orderId = await pay.book({ method: 'tok_webhook_first' });
    const job = pay.data.find('payments.authorise').at(-1)?.data ?? {};
    const asking = pay.running.work('payments.authorise', job);
    // The sandbox answers when its webhook has been dealt with.
    const sent = await until('the webhook is on its way', () => pay.data.find('payments.sandbox').at(-1));
    await pay.running.work('payments.sandbox', sent.data);
    await pay.running.work('payments.webhook', pay.data.find('payments.webhook').at(-1)?.data ?? {});
    assert.equal((await pay.paymentOf(orderId)).status, 'authorised');
    await asking;
    await pay.drain();
    assert.equal((await pay.paymentOf(orderId)).status, 'authorised');
    assert.deepEqual(pay.eventsOf(orderId), ['payment.authorised']);
    // Counted by whoever learned of it, once.
    assert.equal(authorised(), before + 1);
    await pay.agree();
  });

  it('tell of disputes, won and lost, in the ledger and to others', async () => {
    for (const [method, states, owner] of [
      ['tok_dispute', ['opened'], ['disputes']],
      ['tok_dispute_won', ['opened', 'won'], []],
      ['tok_dispute_lost', ['opened', 'lost'], ['dispute_losses']],
    ] as const) {
      const orderId = await pay.book({ method });
      await pay.drain();
      await pay.tell('order.delivered', orderId, { version: 7 });
      await pay.drain();
      const told = pay.data.find('payment.disputed').filter(({ data }) => data['orderId'] === orderId);
      assert.deepEqual(
        told.map(({ data }) => data['state']),
        states,
      );
      assert.deepEqual(
        (await pay.paymentOf(orderId)).disputes.map(({ state }) => state),
        [states.at(-1)],
      );
      const held = await pay.data.sql(
        `select account from ledger_entries join ledger_transactions t using (transaction_id)
         where t.order_id = $1 and account like 'dispute%' group by account having sum(amount_minor) <> 0`,
        [orderId],
      );
      assert.deepEqual(
        held.map(({ account }) => account),
        owner,
      );
    }
  });

  it('are sent for every payment when the operator wants them', async () => {
    const other = await createPaymentsFixture({ PAYMENTS_SANDBOX_WEBHOOKS: '1' });
    try {
      const orderId = await other.book();
      await other.drain();
      await other.tell('order.delivered', orderId, { version: 7 });
      await other.drain();
      await other.refund(orderId, 10);
      await other.drain();
      const rows = await other.data.sql('select type, outcome from webhook_events order by type');
      assert.deepEqual(rows, [
        { type: 'charge.refunded', outcome: 'applied' },
        { type: 'payment_intent.amount_capturable_updated', outcome: 'applied' },
        { type: 'payment_intent.succeeded', outcome: 'applied' },
      ]);
      await other.checkBooks();
      await other.agree();
    } finally {
      await other.stop();
    }
  });
});
