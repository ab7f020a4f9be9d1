import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Principal } from '#plugin-api';
import type { NewOrder } from '../../../plugins/orders/order.ts';
import { toSearchQuery, toSearchText } from '../../../plugins/orders/search-text.ts';
import { toBooking } from './booking-fixture.ts';
import { createOrdersRig, customer, driver, ops, partner, type OrdersRig, type ShownOrder } from './orders-rig.ts';

describe('toSearchQuery()', () => {
  it('asks for each word by its beginning', () => {
    assert.equal(toSearchQuery('  Zalando  A-12/3 '), "'zalando':* & 'a':* & '12':* & '3':*");
    assert.equal(toSearchQuery(' -/: '), undefined);
    assert.equal(toSearchText(toBooking({ retailer: "O'NEIL & Söhne" }), ['RP1']).slice(0, 13), 'o neil söhne ');
  });
});

describe('GET /orders', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
  });
  after(() => rig.stop());

  const find = async (principal: Principal, query: object = {}): Promise<string[]> => {
    const reply = await rig.running.request('GET /orders', { principal, query: { limit: 100, ...query } });
    assert.equal(reply.status, 200, JSON.stringify(reply.body));
    return (reply.body['orders'] as ShownOrder[]).map(({ orderId }) => orderId);
  };
  const book = async (principal: Principal, changes: Partial<NewOrder> = {}): Promise<string> =>
    String((await rig.book(principal, changes)).body['orderId']);

  it('finds by status, time, customer, partner and driver, each of its own alone', async () => {
    await rig.restart();
    const mine = await book(customer);
    const between = new Date().toISOString();
    const partners = await book(partner, { customerId: 'c1' });
    const others = await book({ id: 'c2', role: 'customer' });
    for (const orderId of [partners, others]) {
      await rig.running.deliver('payment.authorised', { orderId });
      await rig.running.deliver('driver.assigned', { orderId, driverId: orderId === others ? 'd2' : 'd1' });
    }
    assert.deepEqual(await find(ops), [others, partners, mine]);
    assert.deepEqual(await find(customer), [partners, mine]);
    assert.deepEqual(await find(partner), [partners]);
    assert.deepEqual(await find(driver), [partners]);
    for (const [query, found] of [
      [{ status: 'assigned' }, [others, partners]],
      [{ customerId: 'c1' }, [partners, mine]],
      [{ partnerId: 'p1' }, [partners]],
      [{ driverId: 'd2' }, [others]],
      [{ from: between }, [others, partners]],
      [{ to: between }, [mine]],
      [{ from: between, customerId: 'c1', status: 'assigned', driverId: 'd1' }, [partners]],
    ] as const) {
      assert.deepEqual(await find(ops, query), found, JSON.stringify(query));
    }
    // Whatever is asked for: a customer sees what is his, and of others not even that there is something.
    for (const query of [{ customerId: 'c2' }, { partnerId: 'p2' }, { driverId: 'd2' }]) {
      assert.deepEqual(await find(customer, query), []);
    }
    assert.deepEqual(await find(customer, { driverId: 'd1' }), [partners]);
    assert.deepEqual(await find(driver, { driverId: 'd2' }), []);
    assert.deepEqual(await find(partner, { partnerId: 'p2' }), []);
  });

  it('finds by the beginnings of words in whatever is written on an order', async () => {
    await rig.restart();
    const { pickup, destination } = toBooking();
    const orderId = await book(customer, {
      reference: 'client-77',
      retailer: "O'Neil & Söhne",
      orderReference: 'A-2024/17 1e5',
      pickup: { ...pickup, line1: 'Große Straße 4', postalCode: '80802' },
      destination: { ...destination, name: 'Shoe store' },
    });
    const other = await book({ id: 'c2', role: 'customer' }, { orderReference: 'A-2024/18' });
    const code = (await rig.get(orderId)).parcels[0]?.code ?? '';
    const own = [orderId];
    for (const [text, found] of [
      ['söhne', own],
      ["o'ne", own],
      ['A-2024/17', own],
      ['a-2024', [other, orderId]],
      ['17 2024', own],
      ['1e5', own],
      ['große str', own],
      ['CLIENT', own],
      [code, own],
      [code.slice(0, 9).toLowerCase(), own],
      ['shoe söh', own],
      ['nothing', []],
      ['öhne', []],
      ["'); drop table orders; --", []],
      [':*&|!<->()', []],
      ['\0', []],
    ] as const) {
      assert.deepEqual(await find(ops, { text }), found, text);
    }
    assert.deepEqual(await find({ id: 'c2', role: 'customer' }, { text: 'söhne' }), []);
    assert.deepEqual(await find(customer, { text: 'a', status: 'created' }), own);
  });

  it('takes any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 100, unit: 'binary' }), async (text) => {
        if (text.isWellFormed()) await find(ops, { text });
      }),
      { numRuns: 60 },
    );
  });

  it('refuses a cursor that is none and a time that is none', async () => {
    const ask = async (query: object) => (await rig.running.request('GET /orders', { principal: ops, query })).code;
    assert.equal(await ask({ cursor: 'x' }), 'ORDER_CURSOR_INVALID');
    assert.equal(await ask({ from: '2026-13-45T00:00:00Z' }), 'VALIDATION_FAILED');
    assert.equal(await ask({ limit: 101 }), 'VALIDATION_FAILED');
  });

  it('pages without skipping or repeating while others book, even in the same microsecond', async () => {
    await rig.restart();
    for (let index = 0; index < 23; index += 1) await book(customer);
    // Several of the same moment, so that the time alone does not tell them apart.
    await rig.data.sql(`update orders set created_at = date_trunc('second', now()) - interval '1 minute'
      where order_id in (select order_id from orders order by order_id limit 9)`);
    const before = await find(customer);
    for (const limit of [1, 4, 10]) {
      let busy = true;
      const inserts = Array.from({ length: 3 }, async () => {
        while (busy) await book(customer);
      });
      const seen: string[] = [];
      let cursor: unknown;
      do {
        const query = { limit, status: 'created', ...(cursor === undefined ? {} : { cursor }) };
        const { body } = await rig.running.request('GET /orders', { principal: customer, query });
        seen.push(...(body['orders'] as ShownOrder[]).map(({ orderId }) => orderId));
        cursor = body['nextCursor'];
      } while (cursor !== null);
      busy = false;
      await Promise.all(inserts);
      assert.equal(new Set(seen).size, seen.length, 'repeated');
      assert.deepEqual(
        seen.filter((orderId) => before.includes(orderId)),
        before,
        'skipped, or in another order',
      );
    }
  });
});
