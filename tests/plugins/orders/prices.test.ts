import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { checkPriceList, priceOf, type NewPriceList, type PriceList } from '../../../plugins/orders/price.ts';
import { differencesOf } from '../../../plugins/orders/quote.ts';
import { toBooking } from './booking-fixture.ts';
import { createOrdersRig, customer, ops, partner, slotIn, type OrdersRig } from './orders-rig.ts';

const list: NewPriceList = {
  currency: 'EUR',
  baseMinor: 500,
  furtherParcelMinor: 40,
  distanceBands: [
    { upToM: 1000, amountMinor: 0 },
    { upToM: 5000, amountMinor: 70 },
    { upToM: null, amountMinor: 900 },
  ],
  windowBands: [
    { upToMinutes: 60, amountMinor: 8 },
    { upToMinutes: null, amountMinor: 0 },
  ],
};
const stored: PriceList = { ...list, version: 7, validFrom: '', createdBy: '', createdAt: '' };
const place = { lat: 48, lon: 11 };
const north = (metres: number) => ({ lat: 48 + metres / 111_195, lon: 11 });
const minutes = (count: number) => ({
  start: '2026-05-04T08:00:00Z',
  end: new Date(Date.parse('2026-05-04T08:00:00Z') + count * 60_000).toISOString(),
});

describe('priceOf()', () => {
  it('adds up what the way, each further parcel and a short window cost', () => {
    const price = priceOf(
      { pickup: place, destination: north(3000), pickupWindow: minutes(60), parcelCount: 3 },
      stored,
    );
    assert.deepEqual(price.parts, { baseMinor: 500, distanceMinor: 70, parcelsMinor: 80, windowMinor: 8 });
    assert.deepEqual([price.amountMinor, price.currency, price.priceVersion], [658, 'EUR', 7]);
    assert.ok(Math.abs(price.distanceM - 3000) < 5);
  });

  it('takes the band that a value is the end of', () => {
    const amount = (metres: number, length: number): number =>
      priceOf({ pickup: place, destination: north(metres), pickupWindow: minutes(length), parcelCount: 1 }, stored)
        .amountMinor - 500;
    assert.deepEqual(
      [amount(0, 61), amount(990, 60), amount(1010, 61), amount(5010, 61), amount(900_000, 1)],
      [0, 8, 70, 900, 908],
    );
  });
});

describe('checkPriceList()', () => {
  const now = Date.parse('2026-05-04T08:00:00Z');
  it('wants bands that grow, the last one without an end, and no past', () => {
    assert.equal(checkPriceList(list, now), undefined);
    assert.equal(checkPriceList({ ...list, validFrom: '2026-05-04T08:00:00Z' }, now), undefined);
    for (const ends of [[1], [null, null], [2, 1, null], [1, 1, null], [null, 1]]) {
      const distanceBands = ends.map((upToM) => ({ upToM, amountMinor: 1 }));
      const windowBands = ends.map((upToMinutes) => ({ upToMinutes, amountMinor: 1 }));
      assert.match(checkPriceList({ ...list, distanceBands }, now) ?? '', /distanceBands/);
      assert.match(checkPriceList({ ...list, windowBands }, now) ?? '', /windowBands/);
    }
    assert.match(checkPriceList({ ...list, validFrom: '2026-05-04T07:59:59Z' }, now) ?? '', /past/);
  });
});

describe('differencesOf()', () => {
  it('names what differs, and takes a moment in another zone for the same', () => {
    const quoted = {
      pickup: place,
      destination: { ...place, kind: 'store' as const },
      pickupWindow: minutes(60),
      parcels: 1,
    };
    const sameTime = { start: '2026-05-04T10:00:00+02:00', end: '2026-05-04T11:00:00+02:00' };
    assert.deepEqual(differencesOf(quoted, { ...quoted, pickupWindow: sameTime }), []);
    const other = {
      pickup: north(1),
      destination: { ...place, kind: 'carrier' as const },
      pickupWindow: minutes(61),
      parcels: 2,
    };
    assert.deepEqual(differencesOf(quoted, other), ['pickup', 'destination', 'pickupWindow', 'parcels']);
  });
});

describe('quotes and price lists', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
  });
  after(() => rig.stop());
  beforeEach(async () => {
    await rig.data.sql('delete from price_lists where version > 1');
    await rig.restart();
  });

  const { pickup, destination } = toBooking();
  const pickupWindow = slotIn(3);
  const content = {
    pickup: { lat: pickup.lat, lon: pickup.lon },
    destination: { kind: destination.kind, lat: destination.address.lat, lon: destination.address.lon },
    pickupWindow,
    parcels: 2,
  };
  const items = [{ description: 'Shoes', quantity: 2 }];
  const quote = async (principal: Principal = customer, headers = {}) => {
    const { status, body } = await rig.post('/orders/quotes', { principal, body: content, headers });
    assert.equal(status, 201);
    return body as { quoteId: string; price: { amountMinor: number }; expiresAt: string };
  };
  const put = (changes: Partial<NewPriceList> = {}, headers = {}) =>
    rig.running.request('PUT /orders/prices', { principal: ops, body: { ...list, ...changes }, headers });
  const quotes = (outcome: string): number => rig.running.counted('returnit_orders_quotes_total', { outcome });

  it('hold a price for whoever was told it, whatever it costs by then', async () => {
    const { quoteId, price, expiresAt } = await quote();
    assert.equal(price.amountMinor, 690);
    const heldMs = Date.parse(expiresAt) - Date.now();
    assert.ok(heldMs > 14 * 60_000 && heldMs <= 15 * 60_000);
    assert.equal((await put()).status, 200);
    const now = await rig.book(customer, { pickupWindow, items });
    assert.deepEqual(now.body['price'], { amountMinor: 610, currency: 'EUR' });
    const held = await rig.book(customer, { pickupWindow, items, quoteId });
    assert.deepEqual(
      [held.status, held.body['price'], held.body['quoteId']],
      [201, { amountMinor: 690, currency: 'EUR' }, quoteId],
    );
    const { data } = rig.eventsOf(held.body['orderId'])[0] ?? {};
    assert.deepEqual(data?.['payment'], { amountMinor: 690, currency: 'EUR', method: 'tok_default' });
    assert.equal(quotes('used'), 1);
  });

  it('are for what was quoted, for whom it was quoted, and for a while', async () => {
    const { quoteId } = await quote();
    const other = await rig.book(customer, { pickupWindow: slotIn(4), quoteId });
    assert.deepEqual(
      [other.status, other.code, other.body['differing']],
      [422, 'ORDER_QUOTE_MISMATCH', ['pickupWindow', 'parcels']],
    );
    const foreign = await rig.book(partner, { customerId: 'c1', pickupWindow, items, quoteId });
    assert.deepEqual([foreign.status, foreign.code], [422, 'ORDER_QUOTE_UNKNOWN']);
    await rig.data.sql(`update quotes set expires_at = now()`);
    const expired = await rig.book(customer, { pickupWindow, items, quoteId });
    assert.deepEqual([expired.status, expired.code], [409, 'ORDER_QUOTE_EXPIRED']);
    assert.deepEqual(['mismatch', 'unknown', 'expired', 'used'].map(quotes), [1, 1, 1, 0]);
    assert.equal((await rig.data.sql('select from orders')).length, 0);
  });

  it('are given once to a repeated request, and forgotten a day after they expired', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const [first, second, foreign] = [
      await quote(customer, headers),
      await quote(customer, headers),
      await quote(partner, headers),
    ];
    assert.deepEqual(second, first);
    assert.notEqual(foreign.quoteId, first.quoteId);
    assert.equal((await rig.data.sql('select from quotes')).length, 2);
    await rig.data.sql(`update quotes set expires_at = now() - interval '25 hours'`);
    await quote();
    assert.equal((await rig.data.sql('select from quotes')).length, 1);
  });

  it('are refused for what cannot be booked', async () => {
    const ask = (changes: object) =>
      rig.post('/orders/quotes', { principal: customer, body: { ...content, ...changes } });
    assert.equal((await ask({ pickup: { lat: 0, lon: 0 } })).code, 'ORDER_ADDRESS_INVALID');
    assert.equal((await ask({ pickupWindow: slotIn(-3) })).code, 'ORDER_WINDOW_INVALID');
    assert.equal((await ask({ parcels: 51 })).status, 422);
  });

  it('come from the list that has begun last', async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    assert.equal((await put({ baseMinor: 9000, validFrom: soon })).status, 200);
    assert.equal((await quote()).price.amountMinor, 690);
    await rig.data.sql(`update price_lists set valid_from = now() - interval '1 second' where version = 2`);
    assert.equal((await quote()).price.amountMinor, 9110);
  });

  it('are put by ops, one after the other: of many at the same moment one does', async () => {
    const read = await rig.running.request('GET /orders/prices', { principal: ops, query: { limit: 1 } });
    const etag = read.headers?.['etag'];
    assert.equal(etag, '"1"');
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, index) => put({ baseMinor: index }, { 'if-match': etag })),
    );
    const [won, ...others] = replies.toSorted((a, b) => a.status - b.status);
    assert.deepEqual([won?.status, won?.headers?.['etag'], won?.body['createdBy']], [200, '"2"', 'o1']);
    assert.ok(others.every(({ status, code }) => status === 412 && code === 'ORDER_PRICES_CHANGED'));
    assert.equal((await put({ distanceBands: [{ upToM: 5, amountMinor: 1 }] })).code, 'ORDER_PRICES_INVALID');
    const page = await rig.running.request('GET /orders/prices', { principal: ops, query: { limit: 1 } });
    const next = await rig.running.request('GET /orders/prices', {
      principal: ops,
      query: { cursor: page.body['nextCursor'] },
    });
    const versions = [page, next].map(({ body }) => (body['prices'] as PriceList[]).map(({ version }) => version));
    assert.deepEqual([versions, next.body['nextCursor']], [[[2], [1]], null]);
  });
});
