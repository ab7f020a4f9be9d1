import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { until } from '../../support/until.ts';
import { runPlugin, type RunningPlugin } from '../support/plugin-context.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { manners, startOsrmServer, type OsrmServer } from './osrm-server.ts';

interface ShownEta {
  readonly seconds: number;
  readonly at: string;
  readonly source: string;
}

const ops: Principal = { id: 'o1', role: 'ops' };
const pickup = { lat: 48.1, lon: 11.5 };
const destination = { lat: 48.2, lon: 11.5 };

describe('times of arrival', () => {
  let data: PluginDatabase;
  let server: OsrmServer;
  let orderId: string;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql(
      'truncate driver_location_pings, newest_positions, tracked_orders, stop_visits, orders.orders cascade',
    );
    server = await startOsrmServer();
    orderId = randomUUIDv7();
    await data.sql(
      `insert into orders.orders (order_id, content_hash, created_by_role, created_by, customer_id, driver_id, status,
          pickup, window_start, window_end, destination, amount_minor, currency)
        values ($1, 'x', 'customer', 'c1', 'c1', 'd1', 'on_the_way', $2, now(), now() + interval '1 hour', $3, 1, 'EUR')`,
      [orderId, JSON.stringify(pickup), JSON.stringify({ kind: 'store', address: destination })],
    );
    await data.sql(
      `insert into tracked_orders (order_id, driver_id, status, updated_at) values ($1, 'd1', 'active', now() - interval '1 hour')`,
      [orderId],
    );
  });
  afterEach(() => server.stop());

  const locate = (running: RunningPlugin, secondsAgo: number, place: object): Promise<unknown> =>
    running.receive('drivers/+/location', [
      {
        topic: 'drivers/d1/location',
        payload: JSON.stringify({ recordedAt: Date.now() / 1000 - secondsAgo, accuracyM: 5, ...place }),
        username: 'd1.phone',
        receivedAt: new Date().toISOString(),
        retained: false,
        duplicate: false,
      },
    ]);
  const ask = async (running: RunningPlugin): Promise<ShownEta | null> => {
    const { status, body } = await running.request('GET /tracking/orders/{orderId}/position', {
      principal: ops,
      params: { orderId },
    });
    assert.equal(status, 200, JSON.stringify(body));
    assert.ok(Number.isInteger(body['ageSeconds']));
    return body['eta'] as ShownEta | null;
  };
  const setStatus = async (status: string): Promise<void> => {
    await data.sql('update orders.orders set status = $2 where order_id = $1', [orderId, status]);
    if (status !== 'picked_up') return;
    await data.sql(
      `insert into orders.order_history (order_id, sequence, to_status, actor_kind, actor_id) values ($1, 2, 'picked_up', 'driver', 'd1')`,
      [orderId],
    );
  };
  const withOsrm = (timeoutMs = '8000'): Promise<RunningPlugin> =>
    runPlugin(plugin, data.db, { TRACKING_OSRM_URL: server.url.href, TRACKING_ROUTE_TIMEOUT_MS: timeoutMs });

  it('are estimated to the stop that is next, in the answer, the snapshot and the stream', async () => {
    const running = await runPlugin(plugin, data.db);
    // 5,560 m in a straight line, at the default of 7 m/s.
    await locate(running, 0, { lat: 48.05, lon: 11.5 });
    const eta = await ask(running);
    assert.ok(eta !== null && Math.abs(eta.seconds - 1112) < 30, JSON.stringify(eta));
    assert.equal(eta.source, 'estimate');
    const watch = await running.watch('orders/{orderId}/position', ops, { orderId });
    assert.ok(watch.allowed && (watch.snapshot as { eta: ShownEta }).eta.source === 'estimate');
    const { data: value } = running.recorded.live.at(-1) ?? {};
    const streamed = value as { eta: ShownEta; ageSeconds: number };
    assert.deepEqual([streamed.eta.source, streamed.ageSeconds], ['estimate', 0]);
    await setStatus('picked_up');
    assert.ok(((await ask(running))?.seconds ?? 0) > 3000);
  });

  it('are the same on a node that has not seen the driver, and on one that has just started', async (t) => {
    // The stretch that is looked at lies within one UTC day.
    if (Date.now() % 86_400_000 < 600_000) return t.skip('a day has just begun');
    const taking = await runPlugin(plugin, data.db);
    // 15 m/s for five minutes; at the default of 7 m/s the rest would take twice as long.
    for (let secondsAgo = 300; secondsAgo >= 0; secondsAgo -= 20) {
      await locate(taking, secondsAgo, { lat: 47.95 - (secondsAgo * 15) / 111_195, lon: 11.5 });
    }
    const other = await runPlugin(plugin, data.db);
    const [first, second] = [(await ask(taking))?.seconds ?? 0, (await ask(other))?.seconds ?? 0];
    assert.ok(Math.abs(first - second) < 0.1 * first, `${first} s and ${second} s`);
    assert.ok(first < 1900, `${first} s for 16.7 km in a straight line`);
    // It goes on from there with what it sees itself.
    await locate(other, -20, { lat: 47.95 + (20 * 15) / 111_195, lon: 11.5 });
    const { data: streamed } = other.recorded.live.at(-1) ?? {};
    const later = (streamed as { eta: ShownEta }).eta.seconds;
    assert.ok(Math.abs(first - later) < 0.1 * first, `${first} s and ${later} s`);
  });

  it('are not told before the driver has set out, when nothing is left to do, and of a driver who is offline', async () => {
    const running = await runPlugin(plugin, data.db);
    await locate(running, 1000, { lat: 48.05, lon: 11.5 });
    assert.equal(await ask(running), null);
    await locate(running, 0, { lat: 48.05, lon: 11.5 });
    for (const status of ['assigned', 'delivered']) {
      await setStatus(status);
      assert.equal(await ask(running), null, status);
    }
  });

  it('are over with the arrival', async () => {
    const running = await runPlugin(plugin, data.db);
    await locate(running, 60, pickup);
    await locate(running, 20, pickup);
    assert.deepEqual({ ...(await ask(running)), at: '' }, { seconds: 0, at: '', source: 'arrived' });
  });

  it('are those of the routing engine where there is one, also in the stream', async () => {
    const running = await withOsrm();
    await locate(running, 5, { lat: 48.05, lon: 11.5 });
    const eta = await ask(running);
    assert.ok(eta?.source === 'osrm' && Math.abs(eta.seconds - 295) < 30, JSON.stringify(eta));
    await locate(running, 0, { lat: 48.051, lon: 11.5 });
    const { data: streamed } = running.recorded.live.at(-1) ?? {};
    assert.equal((streamed as { eta: ShownEta }).eta.source, 'osrm');
    assert.equal(server.asked.length, 1);
  });

  for (const [manner, outcome] of [
    ['silent', 'timeout'],
    ['broken', 'refused'],
    ['notJson', 'answer'],
    ['reset', 'unreachable'],
    ['noRoute', 'none'],
  ] as const) {
    it(`are estimated when the routing engine is ${manner}, which is counted`, async () => {
      server.manner = manners[manner];
      const running = await withOsrm(manner === 'silent' ? '200' : '8000');
      await locate(running, 0, { lat: 48.05, lon: 11.5 });
      assert.equal((await ask(running))?.source, 'estimate');
      const counted = (): number => running.counted('returnit_tracking_routes_total', { outcome });
      await until('it is counted', () => counted() > 0);
      assert.doesNotMatch(JSON.stringify(running.recorded.logs), /48\.|11\.5/);
    });
  }
});
