import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomUUIDv7 } from 'node:crypto';
import * as fc from 'fast-check';
import { canonicalText, checkBooking, ownershipOf } from '../../../plugins/orders/booking.ts';
import { fromCursor, toCursor } from '../../../plugins/orders/cursor.ts';
import { toBooking } from './booking-fixture.ts';

const now = Date.parse('2026-05-04T08:00:00Z');
const at = (minutes: number): string => new Date(now + minutes * 60_000).toISOString();

describe('checkBooking()', () => {
  it('takes a usable booking', () => {
    assert.equal(checkBooking(toBooking({ pickupWindow: { start: at(60), end: at(120) } }), now), undefined);
  });

  const day = 24 * 60;
  for (const [what, start, end, detail] of [
    ['an end before its start', at(120), at(60), /must be after/],
    ['an empty window', at(60), at(60), /must be after/],
    ['more than 7 days', at(0), at(7 * day + 1), /longer than 7 days/],
    ['a start more than 15 minutes ago', at(-16), at(60), /in the past/],
    ['a window that is over', at(-14), at(-1), /in the past/],
    ['a start in more than 90 days', at(90 * day + 1), at(90 * day + 60), /next 90 days/],
    ['no time at all', '2026-13-45T99:00:00Z', at(60), /two points in time/],
  ] as const) {
    it(`refuses ${what}`, () => {
      const refusal = checkBooking(toBooking({ pickupWindow: { start, end } }), now);
      assert.equal(refusal?.code, 'ORDER_WINDOW_INVALID');
      assert.match(refusal.detail, detail);
    });
  }

  it('takes a start up to 15 minutes ago', () => {
    assert.equal(checkBooking(toBooking({ pickupWindow: { start: at(-15), end: at(60) } }), now), undefined);
  });

  it('refuses the place that failed geocoding gives, of pickup and destination', () => {
    const pickupWindow = { start: at(60), end: at(120) };
    const good = toBooking({ pickupWindow });
    const nowhere = { ...good.pickup, lat: 0, lon: 0 };
    assert.equal(checkBooking({ ...good, pickup: nowhere }, now)?.code, 'ORDER_ADDRESS_INVALID');
    const destination = { ...good.destination, address: nowhere };
    assert.match(checkBooking({ ...good, destination }, now)?.detail ?? '', /destination\.address/);
  });
});

describe('checkBooking() on parcels', () => {
  const pickupWindow = { start: at(60), end: at(120) };
  const { items: _items, ...bare } = toBooking({ pickupWindow });

  it('takes parcels, or items whose pieces are parcels, and not both or neither', () => {
    const parcels = [{ description: 'Shoes' }];
    const items = [{ description: 'Shoes', quantity: 50 }];
    assert.equal(checkBooking({ ...bare, parcels }, now), undefined);
    assert.equal(checkBooking({ ...bare, items }, now), undefined);
    for (const wrong of [bare, { ...bare, parcels, items }]) {
      assert.equal(checkBooking(wrong, now)?.code, 'ORDER_PARCELS_INVALID');
    }
  });

  it('refuses more pieces than an order has parcels', () => {
    const items = [25, 26].map((quantity) => ({ description: 'Shoes', quantity }));
    assert.match(checkBooking({ ...bare, items }, now)?.detail ?? '', /at most 50 parcels: these are 51/);
  });
});

describe('ownershipOf()', () => {
  it('gives an order to the customer who books it, and to the customer whom a partner names', () => {
    assert.deepEqual(ownershipOf(toBooking(), { id: 'c1', role: 'customer' }), { customerId: 'c1', partnerId: null });
    const booking = toBooking({ customerId: 'c2' });
    assert.deepEqual(ownershipOf(booking, { id: 'p1', role: 'partner' }), { customerId: 'c2', partnerId: 'p1' });
  });

  it('refuses a partner that names nobody, and a customer who names somebody else', () => {
    const nameless = ownershipOf(toBooking(), { id: 'p1', role: 'partner' });
    const foreign = ownershipOf(toBooking({ customerId: 'c2' }), { id: 'c1', role: 'customer' });
    for (const owner of [nameless, foreign]) assert.equal('code' in owner && owner.code, 'ORDER_CUSTOMER_INVALID');
  });
});

describe('canonicalText()', () => {
  it('is the same whatever the order of members, and parses to the same content', () => {
    assert.equal(canonicalText({ b: [1, { d: 2, c: undefined }], a: 'x' }), '{"a":"x","b":[1,{"d":2}]}');
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as object;
        const reversed = Object.fromEntries(Object.entries(json).toReversed());
        assert.equal(canonicalText(json), canonicalText(reversed));
        assert.deepEqual(JSON.parse(canonicalText(json)), json);
      }),
    );
  });
});

describe('toCursor() and fromCursor()', () => {
  it('carry a position there and back, to the microsecond', () => {
    const position = { createdAt: '2026-05-04T08:00:00.123456Z', orderId: randomUUIDv7() };
    assert.deepEqual(fromCursor(toCursor(position)), position);
  });

  it('refuse whatever is not theirs', () => {
    const encode = (text: string): string => Buffer.from(text).toString('base64url');
    const forged = toCursor({ createdAt: '2026-05-04T08:00:00.123456Z', orderId: '1; drop table orders' });
    const impossible = toCursor({ createdAt: '2026-13-45T08:00:00.123456Z', orderId: randomUUIDv7() });
    for (const cursor of ['', 'x', forged, impossible, encode(`1:${randomUUIDv7()}`), encode('2:abc')]) {
      assert.equal(fromCursor(cursor), undefined);
    }
    fc.assert(fc.property(fc.string(), (text) => fromCursor(text) === undefined));
  });
});
