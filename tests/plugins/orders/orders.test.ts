import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/orders/plugin.ts';
import { sandboxTokens } from '../../../plugins/payments/providers/sandbox-tokens.ts';
import { takeStep } from '../../../plugins/orders/progress.ts';
import { readSettings } from '../../../plugins/orders/settings.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import { toBooking } from './booking-fixture.ts';

const customer: Principal = { id: 'c1', role: 'customer' };
const partner: Principal = { id: 'p1', role: 'partner' };
const driver: Principal = { id: 'd1', role: 'driver' };
const ops: Principal = { id: 'o1', role: 'ops' };

describe('orders', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate orders, pickup_windows, quotes cascade');
    running = await runPlugin(plugin, data.db);
  });

  const book = (principal: Principal, changes = {}): Promise<Reply> =>
    running.request('POST /orders', { principal, body: toBooking(changes) });
  const act = (principal: Principal, orderId: unknown, verb: string): Promise<Reply> =>
    running.request(`POST /orders/{orderId}/${verb}`, {
      principal,
      params: { orderId },
      ...(verb === 'cancel' ? { body: {} } : {}),
    });
  const get = (principal: Principal, orderId: unknown): Promise<Reply> =>
    running.request('GET /orders/{orderId}', { principal, params: { orderId } });
  const eventsOf = (orderId: unknown): string[] =>
    data.sent.filter((entry) => entry.data['orderId'] === orderId).map((entry) => entry.name);

  it('takes an order from the booking to the door, with an event and a line of history for each step', async () => {
    const booked = await book(customer);
    assert.equal(booked.status, 201);
    const { orderId } = booked.body;
    assert.equal(booked.body['status'], 'created');
    await running.deliver('payment.authorised', { orderId });
    await running.deliver('driver.assigned', { orderId, driverId: 'd1' });
    for (const verb of ['start', 'pickup', 'deliver', 'complete'])
      assert.equal((await act(driver, orderId, verb)).status, 200);
    assert.deepEqual(eventsOf(orderId), [
      'order.created',
      'order.scheduled',
      'order.assigned',
      'order.started',
      'order.picked_up',
      'order.delivered',
      'order.completed',
    ]);
    const { body } = await get(customer, orderId);
    const history = body['history'] as { to: string; actorId: string; sequence: number }[];
    assert.deepEqual(
      history.map((step) => `${step.sequence} ${step.to} ${step.actorId}`),
      [
        '1 created c1',
        '2 scheduled payments',
        '3 assigned drivers',
        '4 on_the_way d1',
        '5 picked_up d1',
        '6 delivered d1',
        '7 completed d1',
      ],
    );
    assert.equal(running.counted('returnit_orders_steps_total', { outcome: 'moved' }), 6);
  });

  it('tells subscribers who, where and when, and nothing of the address', async () => {
    const { body } = await book(customer, { paymentMethod: 'tok_card' });
    const created = data.find('order.created').at(-1)?.data;
    assert.deepEqual(created, {
      orderId: body['orderId'],
      status: 'created',
      customerId: 'c1',
      partnerId: null,
      driverId: null,
      from: null,
      version: 1,
      attempt: 1,
      pickup: { lat: 48.16, lon: 11.58 },
      pickupWindow: body['pickupWindow'],
      destination: { lat: 48.14, lon: 11.57, kind: 'store' },
      parcels: 1,
      volumeL: null,
      by: { kind: 'customer', id: 'c1' },
      payment: { amountMinor: 590, currency: 'EUR', method: 'tok_card' },
    });
  });

  it('answers the same order to a repeated reference, and refuses other content under it', async () => {
    const booking = { ...toBooking(), reference: 'my-1' };
    const send = (body: object): Promise<Reply> => running.request('POST /orders', { principal: customer, body });
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(booking)));
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    assert.equal(answers.filter(({ status }) => status === 200).length, 7);
    assert.equal(new Set(answers.map(({ body }) => body['orderId'])).size, 1);
    const other = await send({ ...booking, items: [{ description: 'Hat', quantity: 1 }] });
    assert.deepEqual([other.status, other.code], [409, 'ORDER_REFERENCE_CONFLICT']);
    const elsewhere = await running.request('POST /orders', {
      principal: { id: 'c2', role: 'customer' },
      body: booking,
    });
    assert.equal(elsewhere.status, 201);
    assert.equal((await data.sql('select from orders')).length, 2);
  });

  it('shows an order to its customer, partner and driver and to ops, and to nobody else', async () => {
    const { orderId } = (await book(partner, { customerId: 'c1' })).body;
    await running.deliver('payment.authorised', { orderId });
    await running.deliver('driver.assigned', { orderId, driverId: 'd1' });
    for (const principal of [customer, partner, driver, ops]) assert.equal((await get(principal, orderId)).status, 200);
    for (const role of ['customer', 'partner', 'driver'] as const) {
      const stranger = await get({ id: 'other', role }, orderId);
      assert.deepEqual([stranger.status, stranger.code], [404, 'ORDER_NOT_FOUND']);
      assert.equal((await get(ops, randomUUIDv7())).status, 404);
    }
    assert.equal((await act({ id: 'other', role: 'driver' }, orderId, 'start')).status, 404);
    assert.equal((await act({ id: 'other', role: 'customer' }, orderId, 'cancel')).status, 404);
  });

  it('cancels once, and not when the parcels are on board', async () => {
    const { orderId } = (await book(customer)).body;
    assert.equal((await act(customer, orderId, 'cancel')).body['status'], 'cancelled');
    assert.equal((await act(customer, orderId, 'cancel')).status, 200);
    assert.deepEqual(eventsOf(orderId), ['order.created', 'order.cancelled']);
    await running.deliver('payment.authorised', { orderId });
    assert.equal((await get(customer, orderId)).body['status'], 'cancelled');

    const second = (await book(customer)).body['orderId'];
    await running.deliver('payment.authorised', { orderId: second });
    await running.deliver('driver.assigned', { orderId: second, driverId: 'd1' });
    await act(driver, second, 'start');
    await act(driver, second, 'pickup');
    for (const principal of [customer, ops]) {
      const refused = await act(principal, second, 'cancel');
      assert.deepEqual([refused.status, refused.code], [409, 'ORDER_STATE_CONFLICT']);
    }
  });

  it('cancels with the reason when the payment is declined or nobody answers', async () => {
    for (const [outcome, reason] of [
      ['declined', 'card_declined'],
      ['failed', 'provider-unavailable'],
    ]) {
      const { orderId } = (await book(customer)).body;
      await running.deliver(`payment.${outcome}`, { orderId, reason });
      const { body } = await get(customer, orderId);
      assert.deepEqual([body['status'], body['cancelReason']], ['cancelled', `payment ${outcome}: ${reason}`]);
    }
  });

  it('is left alone by a failed payment when it has been paid', async () => {
    const { orderId } = (await book(customer)).body;
    await running.deliver('payment.authorised', { orderId });
    await act(customer, orderId, 'cancel');
    await running.deliver('payment.failed', { orderId, reason: 'provider-unavailable' });
    assert.equal((await get(customer, orderId)).body['cancelReason'], null);
  });

  it('lets one of many win when they move an order at the same moment', async () => {
    const { orderId } = (await book(customer)).body;
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        data.db.transaction((tx) =>
          takeStep(
            tx,
            {
              orderId: String(orderId),
              action: index % 2 === 0 ? 'schedule' : 'cancel',
              actor: { kind: 'system', id: 'payments' },
              traceId: null,
            },
            { settings: readSettings({}), nowMs: Date.now(), continueTrace: (_, work) => work() },
          ),
        ),
      ),
    );
    const moved = outcomes.filter(({ kind }) => kind === 'moved').length;
    // A cancellation may follow a scheduling; each of them happens once at most.
    assert.ok(moved >= 1 && moved <= 2, `${moved} moved`);
    const steps = await data.sql('select sequence from order_history where order_id = $1', [orderId]);
    assert.equal(steps.length, moved + 1);
  });

  it('refuses what is no booking and changes nothing', async () => {
    const good = toBooking();
    const { pickup } = good;
    const wrong: Record<string, object> = {
      'an unknown member': { ...good, extra: 1 },
      'no items': { ...good, items: [] },
      'neither parcels nor items': { ...good, items: undefined },
      'too many items': { ...good, items: Array.from({ length: 51 }, () => ({ description: 'x', quantity: 1 })) },
      'half an item': { ...good, items: [{ description: 'x', quantity: 0.5 }] },
      'a latitude out of range': { ...good, pickup: { ...pickup, lat: 90.01 } },
      'an infinite longitude': { ...good, pickup: { ...pickup, lon: Number.POSITIVE_INFINITY } },
      'a coordinate as text': { ...good, pickup: { ...pickup, lat: '48' } },
      'a blank line': { ...good, pickup: { ...pickup, line1: ' ' } },
      'a line with NUL': { ...good, pickup: { ...pickup, line1: 'a\u0000b' } },
      'a line that is too long': { ...good, pickup: { ...pickup, line1: 'x'.repeat(201) } },
      'a country that is no code': { ...good, pickup: { ...pickup, country: 'Germany' } },
      'a time without a zone': { ...good, pickupWindow: { start: '2026-05-04T08:00:00', end: '2026-05-04T09:00:00' } },
      'a destination of no kind': { ...good, destination: { ...good.destination, kind: 'moon' } },
      'a reference with a space': { ...good, reference: 'a b' },
      'a payment method that is no token': { ...good, paymentMethod: '4111111111111111' },
      'a payment method of no known kind': { ...good, paymentMethod: 'acct_1MqLiJLkdIwHu7ix' },
      'a payment method that is a path': { ...good, paymentMethod: 'pm_1/../../refunds' },
      'a payment method that is too long': { ...good, paymentMethod: `pm_${'x'.repeat(125)}` },
    };
    for (const [what, body] of Object.entries(wrong)) {
      assert.equal((await running.request('POST /orders', { principal: customer, body })).status, 422, what);
    }
    assert.equal((await get(ops, 'not-an-id')).status, 422);
    assert.equal((await running.request('GET /orders', { principal: ops, query: { limit: 101 } })).status, 422);
    assert.equal((await data.sql('select from orders')).length, 0);
  });

  it('takes the payment methods of each provider, as they are, to whoever takes the money', async () => {
    const stripe = ['tok_visa', 'tok_1NirD82eZvKYlo2CIvbtLWuY', 'tok_chargeDeclinedInsufficientFunds'];
    const methods = [...stripe, 'pm_1MqLiJLkdIwHu7ixUEgbFdYF', 'pm_card_chargeDeclined'];
    for (const method of [...methods, ...sandboxTokens, 'tok_capture_timeout']) {
      const { status, body } = await book(customer, { paymentMethod: method });
      assert.equal(status, 201, method);
      const told = data.find('order.created').find((entry) => entry.data['orderId'] === body['orderId']);
      assert.deepEqual(told?.data['payment'], { amountMinor: 590, currency: 'EUR', method });
    }
  });

  it('never writes an address or a place to the log', async () => {
    const { orderId } = (await book(customer)).body;
    await act(customer, orderId, 'cancel');
    await running.deliver('payment.authorised', { orderId });
    assert.ok(running.recorded.logs.length > 0);
    assert.doesNotMatch(JSON.stringify(running.recorded.logs), /Leopold|48\.|11\.5/);
  });
});
