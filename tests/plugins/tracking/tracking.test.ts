import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { MqttMessage, Principal } from '#plugin-api';
import { fromCursor, toCursor, toRange } from '../../../plugins/tracking/history.ts';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

const pattern = 'orders/{orderId}/position';
const customer: Principal = { id: 'c1', role: 'customer' };
const partner: Principal = { id: 'p1', role: 'partner' };
const ops: Principal = { id: 'o1', role: 'ops' };

describe('tracking', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  let orderId: string;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate driver_location_pings, newest_positions, tracked_orders, orders.orders cascade');
    running = await runPlugin(plugin, data.db);
    orderId = randomUUIDv7();
  });

  const setOrder = (
    status: string,
    driverId: string | null = 'd1',
    partnerId: string | null = 'p1',
  ): Promise<unknown> =>
    data.sql(
      `insert into orders.orders (order_id, content_hash, created_by_role, created_by, customer_id, partner_id, driver_id, status,
          pickup, window_start, window_end, destination, amount_minor, currency)
        values ($1, 'x', 'partner', 'p1', 'c1', $4, $2, $3, '{}', now(), now() + interval '1 hour', '{}', 1, 'EUR')
        on conflict (order_id) do update set status = excluded.status, partner_id = excluded.partner_id, driver_id = excluded.driver_id`,
      [orderId, driverId, status, partnerId],
    );
  const toMessage = (secondsAgo: number, changes: object = {}, driverId = 'd1'): MqttMessage => ({
    topic: `drivers/${driverId}/location`,
    payload: JSON.stringify({ lat: 48.1, lon: 11.5, recordedAt: Date.now() / 1000 - secondsAgo, ...changes }),
    username: `${driverId}.phone`,
    receivedAt: new Date().toISOString(),
    retained: false,
    duplicate: false,
  });
  const receive = (...messages: MqttMessage[]) => running.receive('drivers/+/location', messages);

  it('answers a verdict a message in order, and a bad message does not stop the good ones', async () => {
    const verdicts = await receive(
      toMessage(3),
      { ...toMessage(2), payload: 'nonsense' },
      toMessage(1, { lat: 91 }),
      toMessage(0),
    );
    assert.deepEqual(verdicts, ['accepted', { rejected: 'malformed_json' }, { rejected: 'range' }, 'accepted']);
    assert.equal((await data.sql('select from driver_location_pings')).length, 2);
    assert.equal(running.counted('returnit_tracking_fixes_total', { outcome: 'stored' }), 2);
    assert.equal(running.counted('returnit_tracking_rejected_total', { reason: 'range' }), 1);
  });

  it('streams the driver of an order from the assignment to the completion, only forward in time', async () => {
    await receive(toMessage(10));
    assert.equal(running.recorded.live.length, 0);
    await running.deliver('order.assigned', { orderId, driverId: 'd1' });
    await receive(toMessage(4, { lat: 48.2 }), toMessage(5), toMessage(3, {}, 'd2'));
    await receive(toMessage(8));
    const [only, ...others] = running.recorded.live;
    assert.equal(others.length, 0);
    assert.equal(only?.channel, `orders/${orderId}/position`);
    const value = only?.data as { lat: number; recordedAt: string };
    assert.deepEqual([value.lat, only?.version], [48.2, Date.parse(value.recordedAt)]);
    await running.deliver('order.completed', { orderId });
    assert.deepEqual(running.recorded.live.at(-1), {
      channel: `orders/${orderId}/position`,
      closed: 'the order is completed',
    });
    await receive(toMessage(0));
    assert.equal(running.recorded.live.length, 2);
  });

  it('streams nothing when the end of an order overtakes its assignment', async () => {
    await running.deliver('order.cancelled', { orderId });
    await running.deliver('order.assigned', { orderId, driverId: 'd1' });
    await receive(toMessage(0));
    assert.equal(running.recorded.live.filter(({ data: value }) => value !== undefined).length, 0);
  });

  it('streams the driver who has the order now, and nothing while nobody has it', async () => {
    const shown = (): unknown[] =>
      running.recorded.live.flatMap(({ data: value, closed }) => [
        (value as { lat: number } | undefined)?.lat ?? closed,
      ]);
    await running.deliver('order.assigned', { orderId, driverId: 'd2', version: 5 });
    await running.deliver('order.unassigned', { orderId, version: 4 });
    await running.deliver('order.assigned', { orderId, driverId: 'd1', version: 3 });
    await receive(toMessage(5), toMessage(4, { lat: 48.3 }, 'd2'));
    await running.deliver('order.pickup_failed', { orderId, version: 8 });
    await receive(toMessage(3, {}, 'd2'));
    await running.deliver('order.assigned', { orderId, driverId: 'd1', version: 10 });
    await receive(toMessage(2, { lat: 48.4 }), toMessage(1, {}, 'd2'));
    assert.deepEqual(shown(), [48.3, 'the pickup has failed', 48.4]);
    await running.deliver('order.unassigned', { orderId, version: 11 });
    await running.deliver('order.cancelled', { orderId, version: 12 });
    await running.deliver('order.assigned', { orderId, driverId: 'd1', version: 13 });
    await receive(toMessage(0));
    assert.deepEqual(shown().slice(3), ['the driver has given the order back', 'the order is cancelled']);
  });

  it('says once for all who are located with their first position or after a silence', async () => {
    await receive(toMessage(600), toMessage(600, {}, 'd2'));
    await receive(toMessage(590));
    await receive(toMessage(0), toMessage(280, {}, 'd2'));
    await receive(toMessage(0, {}, 'd2'));
    assert.deepEqual(
      running.recorded.published.map(({ name, data }) => [
        name,
        (data as { driverIds: string[] }).driverIds.toSorted(),
      ]),
      [
        ['driver.located', ['d1', 'd2']],
        ['driver.located', ['d1', 'd2']],
      ],
    );
  });

  it("lets an order's customer watch from 'on the way', its partner, driver and ops from the assignment, until it is over", async () => {
    await receive(toMessage(1));
    const driver: Principal = { id: 'd1', role: 'driver' };
    const strangers: Principal[] = [
      { id: 'c2', role: 'customer' },
      { id: 'd2', role: 'driver' },
      { id: 'c1', role: 'partner' },
      { id: 'p2', role: 'partner' },
      { id: 'p1', role: 'customer' },
      { id: 'anonymous', role: 'anonymous' },
    ];
    for (const [status, visible] of [
      ['created', false],
      ['scheduled', false],
      ['assigned', true],
      ['on_the_way', true],
      ['arrived', true],
      ['pickup_failed', false],
      ['picked_up', true],
      ['delivered', true],
      ['cancelled', false],
      ['completed', false],
    ] as const) {
      await setOrder(status, visible || status === 'completed' || status === 'pickup_failed' ? 'd1' : null);
      for (const principal of [customer, partner, ops, ...(visible ? [driver] : [])]) {
        const sees = visible && !(principal === customer && status === 'assigned');
        const decision = await running.watch(pattern, principal, { orderId });
        assert.equal(decision.allowed, sees, `${principal.role} ${status}`);
        if (decision.allowed) {
          const snapshot = decision.snapshot as { lat: number; recordedAt: string };
          assert.equal(snapshot.lat, 48.1);
          assert.equal(decision.version, Date.parse(snapshot.recordedAt));
        }
        const reply = await running.request('GET /tracking/orders/{orderId}/position', {
          principal,
          params: { orderId },
        });
        assert.equal(reply.status, sees ? 200 : 404);
      }
      for (const principal of strangers) {
        const decision = await running.watch(pattern, principal, { orderId });
        assert.deepEqual(decision, { allowed: false, reason: 'no order of yours has this id' });
      }
    }
    assert.equal((await running.watch(pattern, ops, { orderId: "x' or 1=1" })).allowed, false);
    assert.equal((await running.watch(pattern, ops, { orderId: randomUUIDv7() })).allowed, false);
  });

  it('shows a partner nothing of an order that a customer booked', async () => {
    await receive(toMessage(1));
    await setOrder('assigned', 'd1', null);
    assert.equal((await running.watch(pattern, partner, { orderId })).allowed, false);
    const reply = await running.request('GET /tracking/orders/{orderId}/position', {
      principal: partner,
      params: { orderId },
    });
    assert.equal(reply.code, 'POSITION_NOT_FOUND');
  });

  it('shows a history page by page, also of fixes within one millisecond', async () => {
    const at = Date.now() / 1000 - 60;
    await receive(...Array.from({ length: 7 }, (_, index) => toMessage(0, { recordedAt: at, lat: 40 + index })));
    await receive(toMessage(30), toMessage(20));
    const seen: unknown[] = [];
    let cursor: string | null = null;
    do {
      const query = { limit: 4, ...(cursor === null ? {} : { cursor }) };
      const reply: Reply = await running.request('GET /tracking/drivers/{driverId}/history', {
        principal: ops,
        params: { driverId: 'd1' },
        query,
      });
      seen.push(...(reply.body['fixes'] as { lat: number }[]).map((fix) => fix.lat));
      cursor = reply.body['nextCursor'] as string | null;
    } while (cursor !== null);
    assert.deepEqual(seen, [40, 41, 42, 43, 44, 45, 46, 48.1, 48.1]);
    const ask = (query: object): Promise<Reply> =>
      running.request('GET /tracking/drivers/{driverId}/history', {
        principal: ops,
        params: { driverId: 'd1' },
        query,
      });
    assert.equal(
      (await ask({ from: '2026-05-04T08:00:00Z', to: '2026-05-04T07:00:00Z' })).code,
      'HISTORY_RANGE_INVALID',
    );
    assert.equal((await ask({ cursor: 'x' })).code, 'HISTORY_CURSOR_INVALID');
  });

  it('never writes a place to the log', async () => {
    await running.deliver('order.assigned', { orderId, driverId: 'd1' });
    await receive(toMessage(0), { ...toMessage(0), payload: '{"lat":48.1' });
    assert.doesNotMatch(JSON.stringify(running.recorded.logs), /48\.|11\.5/);
  });
});

describe('history', () => {
  it('carries a key there and back in a cursor, and takes no other', () => {
    const key = { recordedAt: '2026-05-04T08:00:00.123Z', trackKey: 7, latE7: 481_635_066, lonE7: -1 };
    assert.deepEqual(fromCursor(toCursor(key)), key);
    for (const wrong of [
      [],
      ['x', 1, 1, 1],
      [key.recordedAt, 'a', 1, 1],
      [key.recordedAt, 1, 91e7, 1],
      [key.recordedAt, 1, 1, 0.5],
    ]) {
      assert.equal(fromCursor(Buffer.from(JSON.stringify(wrong)).toString('base64url')), undefined);
    }
  });

  it('asks for the last day by default and for 31 days at most', () => {
    const now = { nowMs: Date.parse('2026-05-04T08:00:00Z'), rangeMaxMs: 31 * 86_400_000 };
    assert.deepEqual(toRange({}, now), { from: '2026-05-03T08:00:00.000Z', to: '2026-05-04T08:00:00.000Z' });
    assert.match(JSON.stringify(toRange({ from: '2026-01-01T00:00:00Z' }, now)), /31 days/);
  });
});
