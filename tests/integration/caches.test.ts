/** Two nodes on one database: what either changes, neither answers from its cache. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as pg from 'pg';
import type { Api } from '../support/api-client.ts';
import { book, bookingAt, connectDriver, near, orderReached, placeOf, type Order } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const place = placeOf(11);

describe('caches of two nodes', { timeout: 300_000 }, () => {
  let database: TestDatabase;
  let client: pg.Client;
  let first: TestPlatform;
  let second: TestPlatform;

  before(async () => {
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const config = { databaseUrl: database.url, dbPoolMax: 40 };
    first = await startPlatform({ config });
    second = await startPlatform({ config });
  });
  after(async () => {
    await second?.stop();
    await first?.stop();
    await client?.end();
    await database?.drop();
  });

  const hits = (node: TestPlatform): Promise<number> =>
    node.sample('returnit_cache_requests_total', { cache: 'response', plugin: 'orders', result: 'hit' });
  const read = (api: Api, orderId: string): Promise<Order> => api.ok<Order>('GET', `/orders/${orderId}`);

  /** An order that nothing happens to by itself any more: no driver is there, and it is paid for. */
  async function restingOrder(subject: string): Promise<{ orderId: string; apis: readonly [Api, Api] }> {
    const apis = [await first.as('customer', subject), await second.as('customer', subject)] as const;
    const { orderId } = await book(apis[0], place);
    await orderReached(apis[0], orderId, 'scheduled');
    return { orderId, apis };
  }

  /** Reads until it is answered from the cache: what was told of the steps before may still be on its way. */
  const readKept = (node: TestPlatform, api: Api, orderId: string): Promise<Order> =>
    until('it is kept', async () => {
      const before = await hits(node);
      const order = await read(api, orderId);
      return (await hits(node)) > before && order;
    });

  it('answer again what they answered, and the tag that goes with it', async () => {
    const { orderId, apis } = await restingOrder('c-hit');
    assert.equal((await readKept(first, apis[0], orderId)).status, 'scheduled');
    const { headers } = await apis[0].request('GET', `/orders/${orderId}`);
    const etag = headers.get('etag') ?? '';
    const same = await apis[0].request('GET', `/orders/${orderId}`, { headers: { 'if-none-match': etag } });
    assert.equal(same.status, 304);
  });

  it('never answer the writer with what was before, and the other node only until it is told', async () => {
    const { orderId, apis } = await restingOrder('c-write');
    await readKept(first, apis[0], orderId);
    await readKept(second, apis[1], orderId);
    const [sent, received] = await Promise.all([
      first.sample('returnit_cache_invalidations_sent_total'),
      second.sample('returnit_cache_invalidations_received_total'),
    ]);
    await apis[0].ok('POST', `/orders/${orderId}/cancel`, { reason: 'changed my mind' });
    assert.equal((await read(apis[0], orderId)).status, 'cancelled');
    await until('the other node has heard of it', async () => (await read(apis[1], orderId)).status === 'cancelled');
    assert.ok((await first.sample('returnit_cache_invalidations_sent_total')) > sent);
    assert.ok((await second.sample('returnit_cache_invalidations_received_total')) > received);
    assert.ok((await second.sample('returnit_cache_invalidated_entries_total', { cache: 'response' })) > 0);
  });

  it('show each step to its reader at once, however often it was read before', async () => {
    const driver = await connectDriver(first, 'cached-driver');
    // Elsewhere: the orders of the other tests are to rest.
    const there = placeOf(12);
    await driver.publish(near(there, 1));
    const customer = await second.as('customer', 'c-steps');
    const { orderId } = await book(customer, there);
    const acting = await second.as('driver', 'cached-driver');
    await orderReached(customer, orderId, 'assigned');
    for (const [verb, status] of [
      ['start', 'on_the_way'],
      ['pickup', 'picked_up'],
    ] as const) {
      await Promise.all(Array.from({ length: 20 }, () => read(customer, orderId)));
      await acting.ok('POST', `/orders/${orderId}/${verb}`);
      const answers = await Promise.all(Array.from({ length: 20 }, () => read(customer, orderId)));
      assert.deepEqual([...new Set(answers.map((order) => order.status))], [status]);
    }
    await driver.close();
  });

  it('show nobody what another was shown', async () => {
    const { orderId, apis } = await restingOrder('c-own');
    await readKept(first, apis[0], orderId);
    const stranger = await first.as('customer', 'c-stranger');
    assert.equal((await stranger.request('GET', `/orders/${orderId}`)).status, 404);
    // The same id in another role is another principal.
    const partner = await first.as('partner', 'c-own');
    assert.equal((await partner.request('GET', `/orders/${orderId}`)).status, 404);
  });

  it('price by the list that ops have put, on the other node as well, and ask the database once meanwhile', async () => {
    const ops = await first.as('ops', 'o');
    const customer = await second.as('customer', 'c-price');
    const destination = { kind: 'store', ...near(place, 20) };
    const body = { pickup: place, pickupWindow: bookingAt(place)['pickupWindow'], parcels: 1, destination };
    const quoted = async (): Promise<number> =>
      (await customer.ok<{ price: { amountMinor: number } }>('POST', '/orders/quotes', body)).price.amountMinor;
    const asked = (result: string): Promise<number> =>
      second.sample('returnit_cache_requests_total', { cache: 'query', plugin: 'orders', result });
    const before = await quoted();
    const misses = await asked('miss');
    await until('it is kept', async () => {
      const kept = await asked('hit');
      assert.equal(await quoted(), before);
      return (await asked('hit')) > kept;
    });
    // In the next two minutes other lists may be valid: it is asked for again then.
    assert.ok((await asked('miss')) <= misses + 1);
    const { prices } = await ops.ok<{ prices: Record<string, unknown>[] }>('GET', '/orders/prices?limit=1');
    const { currency, furtherParcelMinor, distanceBands, windowBands, baseMinor } = prices[0] ?? {};
    const list = { currency, furtherParcelMinor, distanceBands, windowBands };
    await ops.ok('PUT', '/orders/prices', { ...list, baseMinor: Number(baseMinor) + 100 });
    await until('the other node has heard of it', async () => (await quoted()) === before + 100);
    await ops.ok('PUT', '/orders/prices', { ...list, baseMinor });
    const local = await first.as('customer', 'c-price');
    const { price } = await local.ok<{ price: { amountMinor: number } }>('POST', '/orders/quotes', body);
    assert.equal(price.amountMinor, before, 'at once where it was put');
  });

  it('forget everything when notifications may have been lost, and keep nothing meanwhile', async () => {
    const { orderId, apis } = await restingOrder('c-lost');
    await readKept(second, apis[1], orderId);
    const reconnects = await second.sample('returnit_cache_clears_total', { reason: 'reconnect' });
    // What nobody is told of: the row changes without an event, and the connection that would have brought one is cut.
    await client.query("update orders.orders set cancel_reason = 'unheard' where order_id = $1", [orderId]);
    assert.equal((await read(apis[1], orderId)).cancelReason, null);
    await client.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'returnit listen' and datname = current_database()",
    );
    await until(
      'the nodes listen again',
      async () => (await second.sample('returnit_cache_clears_total', { reason: 'reconnect' })) > reconnects,
    );
    assert.equal((await read(apis[1], orderId)).cancelReason, 'unheard');
    await until('it is told of changes again', async () => {
      const before = await second.sample('returnit_cache_invalidations_received_total');
      await apis[0].request('POST', '/orders', { body: bookingAt(place) });
      return (await second.sample('returnit_cache_invalidations_received_total')) > before;
    });
  });
});
