import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { readFileSync } from 'node:fs';
import { expectedVersion } from '../../../plugins/orders/etag.ts';
import { readSettings, settingDefaults } from '../../../plugins/orders/settings.ts';
import { toBooking } from './booking-fixture.ts';
import { createOrdersRig, customer, driver, ops, partner, slotIn, type OrdersRig } from './orders-rig.ts';

describe('expectedVersion()', () => {
  it('reads the tag of a version, and takes nothing else for one', () => {
    const read = (tag: string) => expectedVersion({ 'if-match': tag });
    assert.deepEqual([read('"5"'), read(' "x", "6"'), read('*'), expectedVersion({})], [5, 6, undefined, undefined]);
    assert.deepEqual([read('W/"5"'), read('5'), read(''), read('"5.0"')], [0, 0, 0, 0]);
  });
});

describe('readSettings()', () => {
  it('takes what the environment says, and the defaults otherwise', () => {
    const settings = readSettings({ ORDERS_WINDOW_MINUTES: '60', ORDERS_QUOTE_MINUTES: '', OTHER: 'x' });
    assert.deepEqual([settings.windowMs, settings.quoteMs, settings.pickupAttemptsMax], [3_600_000, 900_000, 3]);
  });

  it('refuses what is not a whole number within its limits', () => {
    for (const text of ['-1', '1.5', 'many', '0', '1e3', '1441']) {
      assert.throws(() => readSettings({ ORDERS_QUOTE_MINUTES: text }), {
        message: `ORDERS_QUOTE_MINUTES must be a whole number from 1 to 1440: it is "${text}"`,
      });
    }
  });

  it('has each variable with its default in the README', () => {
    const readme = readFileSync(new URL('../../../plugins/orders/README.md', import.meta.url), 'utf8');
    for (const [variable, { fallback }] of Object.entries(settingDefaults)) {
      assert.ok(readme.includes(`| \`${variable}\` | ${fallback} |`), variable);
    }
  });
});

describe('changes of an order', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
  });
  after(() => rig.stop());
  beforeEach(async () => {
    await rig.data.sql(`update proof_requirements set pickup = '{}', drop_off = '{}', version = 1`);
    await rig.restart();
  });

  it('can be for one version of it alone', async () => {
    const booked = await rig.book(customer);
    const { orderId } = booked.body;
    assert.equal(booked.headers?.['etag'], '"1"');
    const request = (tag: string) => ({
      principal: customer,
      params: { orderId },
      body: {},
      headers: { 'if-match': tag },
    });
    await rig.running.deliver('payment.authorised', { orderId });
    const stale = await rig.running.request('POST /orders/{orderId}/cancel', request('"1"'));
    assert.deepEqual([stale.status, stale.code, stale.body['version']], [412, 'ORDER_CHANGED', 2]);
    assert.equal((await rig.running.request('POST /orders/{orderId}/cancel', request('W/"2"'))).status, 412);
    const read = await rig.running.request('GET /orders/{orderId}', { principal: customer, params: { orderId } });
    const done = await rig.running.request('POST /orders/{orderId}/cancel', request(String(read.headers?.['etag'])));
    assert.deepEqual([done.status, done.headers?.['etag']], [200, '"3"']);
    // Its answer was lost, and it comes again: what it asked for has happened.
    assert.equal((await rig.running.request('POST /orders/{orderId}/cancel', request('"2"'))).status, 200);
    assert.equal(rig.running.counted('returnit_orders_steps_total', { action: 'cancel', outcome: 'stale' }), 2);
    const hidden = await rig.running.request('POST /orders/{orderId}/cancel', {
      ...request('"1"'),
      principal: { id: 'c2', role: 'customer' },
    });
    assert.equal(hidden.status, 404);
  });

  it('of the notes are a version and an event, for the owner until the assignment', async () => {
    const orderId = await rig.reach('scheduled');
    const edit = (who: typeof customer, notes: string | null, headers = {}) =>
      rig.running.request('PATCH /orders/{orderId}', { principal: who, params: { orderId }, body: { notes }, headers });
    const edited = await edit(customer, 'Ring twice\nat the gate', { 'if-match': '"2"' });
    assert.deepEqual(
      [edited.status, edited.body['notes'], edited.headers?.['etag']],
      [200, 'Ring twice\nat the gate', '"3"'],
    );
    assert.equal((await edit(customer, 'other', { 'if-match': '"2"' })).code, 'ORDER_CHANGED');
    assert.equal((await edit(customer, 'Ring twice\nat the gate', { 'if-match': '"2"' })).status, 200);
    assert.equal((await edit({ id: 'c2', role: 'customer' }, 'x')).status, 404);
    assert.equal((await edit(customer, 'a\u0000b')).status, 422);
    const { name, data } = rig.eventsOf(orderId).at(-1) ?? assert.fail();
    assert.deepEqual(
      [name, data['version'], data['status'], data['from']],
      ['order.updated', 3, 'scheduled', 'scheduled'],
    );
    assert.doesNotMatch(JSON.stringify(data), /Ring/);
    await rig.running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 1, sequence: 1 });
    const late = await edit(customer, 'too late');
    assert.deepEqual([late.status, late.code], [409, 'ORDER_STATE_CONFLICT']);
    assert.equal((await edit(ops, null)).body['notes'], null);
    assert.deepEqual(
      (await rig.get(orderId)).history.map(({ action }) => action),
      ['book', 'schedule', 'edit', 'assign', 'edit'],
    );
    assert.doesNotMatch(JSON.stringify(rig.running.recorded.logs), /Ring/);
  });

  it('a pickup fails for a reason, is tried again, and not more often than the settings say', async () => {
    await rig.restart({ ORDERS_PICKUP_ATTEMPTS_MAX: '2' });
    const orderId = await rig.reach('on_the_way');
    const fail = (body: object) => rig.act(driver, orderId, 'fail-pickup', body);
    assert.equal((await fail({ reason: 'no_mood' })).status, 422);
    assert.equal((await fail({})).status, 422);
    const failed = await fail({ reason: 'other', remark: 'a goose' });
    assert.deepEqual(
      [failed.status, failed.body['status'], failed.body['failureReason']],
      [200, 'pickup_failed', 'other'],
    );
    const { name, data } = rig.eventsOf(orderId).at(-1) ?? assert.fail();
    assert.deepEqual(
      [name, data['reason'], data['attemptsLeft'], data['driverId']],
      ['order.pickup_failed', 'other', 1, 'd1'],
    );

    const pickupWindow = slotIn(3);
    assert.equal(
      (await rig.act(customer, orderId, 'reschedule', { pickupWindow: slotIn(-5) })).code,
      'ORDER_WINDOW_INVALID',
    );
    const again = await rig.act(customer, orderId, 'reschedule', { pickupWindow });
    assert.deepEqual([again.body['status'], again.body['attempt'], again.body['driverId']], ['scheduled', 2, null]);
    assert.deepEqual(again.body['pickupWindow'], pickupWindow);
    assert.equal((await rig.act(customer, orderId, 'reschedule', { pickupWindow })).status, 200);
    assert.equal(
      (await rig.act(customer, orderId, 'reschedule', { pickupWindow: slotIn(4) })).code,
      'ORDER_STATE_CONFLICT',
    );
    const scheduled = rig.eventsOf(orderId).at(-1)?.data;
    assert.deepEqual([scheduled?.['attempt'], scheduled?.['pickupWindow']], [2, pickupWindow]);

    // News of the first try come late.
    await rig.running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 1, sequence: 2 });
    assert.equal((await rig.get(orderId)).status, 'scheduled');
    await rig.running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 2, sequence: 3 });
    await rig.act(driver, orderId, 'start');
    await fail({ reason: 'nobody_home' });
    assert.equal(rig.eventsOf(orderId).at(-1)?.data['attemptsLeft'], 0);
    const exhausted = await rig.act(ops, orderId, 'reschedule', { pickupWindow });
    assert.deepEqual([exhausted.status, exhausted.code], [409, 'ORDER_ATTEMPTS_EXHAUSTED']);
    assert.equal((await rig.act(customer, orderId, 'cancel')).body['status'], 'cancelled');
    const reasons = (await rig.get(orderId)).history.map(({ reason }) => reason).filter((reason) => reason !== null);
    assert.deepEqual(reasons, ['other: a goose', 'nobody_home']);
  });

  it('a driver arrives by its own word or by its position, of this try alone', async () => {
    const orderId = await rig.reach('on_the_way');
    const arrived = (changes: object) =>
      rig.running.deliver('driver.arrived', {
        orderId,
        driverId: 'd1',
        stop: 'pickup',
        at: new Date().toISOString(),
        ...changes,
      });
    for (const changes of [{ driverId: 'd2' }, { stop: 'destination' }, { at: '2020-01-01T00:00:00Z' }]) {
      await arrived(changes);
      assert.equal((await rig.get(orderId)).status, 'on_the_way', JSON.stringify(changes));
    }
    await arrived({});
    await arrived({});
    assert.equal((await rig.act(driver, orderId, 'arrive')).status, 200);
    const { status, history } = await rig.get(orderId);
    assert.deepEqual([status, history.at(-1)?.actorId, history.length], ['arrived', 'tracking', 5]);
    assert.equal((await rig.act(customer, orderId, 'cancel')).code, 'ORDER_STATE_CONFLICT');
    assert.equal((await rig.act(driver, orderId, 'pickup')).status, 200);
  });

  it('is completed by the driver, by ops, or by the payment, once', async () => {
    const orderId = await rig.reach('picked_up');
    await rig.running.deliver('payment.captured', { orderId });
    assert.equal((await rig.get(orderId)).status, 'picked_up');
    await rig.act(driver, orderId, 'deliver');
    await rig.running.deliver('payment.captured', { orderId });
    assert.equal((await rig.act(driver, orderId, 'complete')).status, 200);
    const { status, history } = await rig.get(orderId);
    assert.deepEqual([status, history.at(-1)?.actorId], ['completed', 'payments']);
    assert.equal(rig.eventsOf(orderId).filter(({ name }) => name === 'order.completed').length, 1);
  });

  it('is not moved by the fee for a cancellation, whenever that comes', async () => {
    for (const status of ['on_the_way', 'picked_up', 'delivered'] as const) {
      const orderId = await rig.reach(status === 'delivered' ? 'picked_up' : status);
      if (status === 'delivered') await rig.act(driver, orderId, 'deliver');
      const before = await rig.get(orderId);
      assert.equal(before.status, status);
      const counted = rig.running.recorded.metrics.length;
      await rig.running.deliver('payment.captured', { orderId, amountMinor: 300, purpose: 'cancellation_fee' });
      assert.deepEqual(await rig.get(orderId), before);
      assert.equal(rig.running.recorded.metrics.length, counted, 'no step is counted');
    }
    const orderId = await rig.reach('picked_up');
    await rig.act(driver, orderId, 'deliver');
    await rig.running.deliver('payment.captured', { orderId, amountMinor: 590, purpose: 'order' });
    assert.equal((await rig.get(orderId)).status, 'completed');
  });

  it('names the trace of each step', async () => {
    const orderId = await rig.reach('on_the_way');
    const traces = (await rig.get(orderId)).history.map(({ traceId }) => traceId);
    // Of the request, and of the event.
    assert.deepEqual(traces, ['r', 'e'.repeat(32), 'e'.repeat(32), 'r']);
    const observed = (): unknown[] => rig.running.recorded.observed.map(({ name }) => name);
    assert.deepEqual(observed(), []);
    await rig.act(driver, orderId, 'pickup');
    await rig.act(driver, orderId, 'pickup');
    assert.deepEqual(observed(), ['returnit_orders_pickup_delay_seconds']);
  });

  it('needs the proofs that ops has set for the kind of its destination when it was booked', async () => {
    const read = await rig.running.request('GET /orders/proof-requirements', { principal: driver });
    const [carrier] = read.body['requirements'] as { destinationKind: string; version: number }[];
    assert.deepEqual([carrier?.destinationKind, carrier?.version], ['carrier', 1]);
    const set = (destinationKind: string, body: object, headers = {}) =>
      rig.running.request('PUT /orders/proof-requirements/{destinationKind}', {
        principal: ops,
        params: { destinationKind },
        body,
        headers,
      });
    const before = await rig.reach('on_the_way');
    const required = { pickup: ['scan', 'photo'], dropOff: ['signature'] };
    const done = await set('store', required, { 'if-match': '"1"' });
    assert.deepEqual([done.status, done.headers?.['etag'], done.body['changedBy']], [200, '"2"', 'o1']);
    assert.equal((await set('store', required, { 'if-match': '"1"' })).code, 'ORDER_REQUIREMENT_CHANGED');
    assert.equal((await set('moon', required)).status, 422);
    assert.equal((await set('store', { pickup: ['photo', 'photo'], dropOff: [] })).status, 422);

    assert.equal((await rig.act(driver, before, 'pickup')).status, 200);
    const orderId = await rig.reach('on_the_way');
    const unproven = await rig.act(driver, orderId, 'pickup');
    assert.deepEqual(
      [unproven.status, unproven.code, unproven.body['missing']],
      [409, 'ORDER_PROOF_MISSING', ['scan', 'photo']],
    );
    const other = await rig.book(customer, { destination: { ...toBooking().destination, kind: 'warehouse' } });
    assert.deepEqual(other.body['proofRequired'], { pickup: [], dropOff: [] });
  });

  it('gives each parcel a code, of items each piece, and keeps what is said of it', async () => {
    const { items: _items, ...bare } = toBooking();
    const parcels = [
      { description: 'Shoes', size: { lengthCm: 30, widthCm: 20, heightCm: 10 }, weightGrams: 900 },
      { description: 'Hat' },
    ];
    const body = {
      ...bare,
      customerId: 'c1',
      parcels,
      retailer: 'Zalando',
      orderReference: 'A 1',
      notes: 'Ring twice',
    };
    const booked = await rig.post('/orders', { principal: partner, body });
    assert.equal(booked.status, 201);
    const shown = booked.body['parcels'] as { code: string }[];
    for (const { code } of shown) assert.match(code, /^RP[0-9A-HJKMNP-TV-Z]{12}$/);
    assert.deepEqual(
      shown.map(({ code: _code, ...parcel }) => parcel),
      [
        { description: 'Shoes', lengthCm: 30, widthCm: 20, heightCm: 10, weightGrams: 900 },
        { description: 'Hat', lengthCm: null, widthCm: null, heightCm: null, weightGrams: null },
      ],
    );
    const { history: _history, ...read } = await rig.get(booked.body['orderId']);
    assert.deepEqual(read, booked.body);
    assert.deepEqual(
      [booked.body['retailer'], booked.body['orderReference'], booked.body['notes']],
      ['Zalando', 'A 1', 'Ring twice'],
    );
    const [created] = rig.eventsOf(read.orderId);
    assert.deepEqual([created?.data['parcels'], created?.data['volumeL']], [2, null]);
    const items = [
      { description: 'Shoes', quantity: 2 },
      { description: 'Hat', quantity: 1 },
    ];
    const pieces = (await rig.book(customer, { items })).body['parcels'] as { description: string }[];
    assert.deepEqual(
      pieces.map(({ description }) => description),
      ['Shoes', 'Shoes', 'Hat'],
    );
  });
});
