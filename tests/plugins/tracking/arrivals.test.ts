import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { observeStops } from '../../../plugins/tracking/arrivals.ts';
import { storeFixes } from '../../../plugins/tracking/store/fixes.ts';
import type { Fix, FixFlag } from '../../../plugins/tracking/fix.ts';
import { pauseOrder, trackOrder } from '../../../plugins/tracking/store/orders.ts';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { runPlugin, type RunningPlugin } from '../support/plugin-context.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import type { PluginContext } from '#plugin-api';

const rules = { arriveM: 100, departM: 200, dwellMs: 20_000 };
const pickup = { lat: 48.1, lon: 11.5 };
const destination = { lat: 48.2, lon: 11.6 };
/** Metres north of a place. */
const north = ({ lat, lon }: typeof pickup, metres: number) => ({ lat: lat + metres / 111_195, lon });

describe('observeStops()', () => {
  let data: PluginDatabase;
  let orderId: string;
  const startMs = Date.now() - 3_600_000;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate tracked_orders, stop_visits, orders.orders cascade');
    (data.sent as unknown[]).length = 0;
    orderId = await addOrder('on_the_way');
  });

  async function addOrder(status: string, driverId = 'd1'): Promise<string> {
    const id = randomUUIDv7();
    await data.sql(
      `insert into orders.orders (order_id, content_hash, created_by_role, created_by, customer_id, driver_id, status,
          pickup, window_start, window_end, destination, amount_minor, currency)
        values ($1, 'x', 'customer', 'c1', 'c1', $5, $2, $3, now(), now() + interval '1 hour', $4, 1, 'EUR')`,
      [id, status, JSON.stringify(pickup), JSON.stringify({ kind: 'store', address: destination }), driverId],
    );
    await data.sql(
      `insert into tracked_orders (order_id, driver_id, status, updated_at) values ($1, $2, 'active', $3)`,
      [id, driverId, new Date(startMs)],
    );
    return id;
  }

  const ctx = (): PluginContext =>
    ({ db: data.db, metrics: { increment: () => undefined } }) as unknown as PluginContext;
  const fix = (seconds: number, place: typeof pickup, flags: readonly FixFlag[] = []): Fix => ({
    driverId: 'd1',
    device: 'phone',
    recordedAt: new Date(startMs + seconds * 1000).toISOString(),
    ...place,
    accuracyM: 5,
    speedMps: null,
    headingDeg: null,
    flags,
  });
  async function observeAs(context: PluginContext, fixes: readonly Fix[]): Promise<void> {
    const { carriers } = await storeFixes(data.db, fixes);
    await observeStops(context, fixes, { rules, carriers });
  }
  const observe = (...fixes: Fix[]): Promise<void> => observeAs(ctx(), fixes);
  const told = (): string[] =>
    data.sent.map(({ name, data: { stop, orderId: id, at } }) => {
      const seconds = (Date.parse(String(at)) - startMs) / 1000;
      return `${name} ${String(stop)} ${String(id) === orderId ? '' : 'other '}${seconds}`;
    });
  const pickUp = (seconds: number): Promise<unknown> =>
    data.sql(
      `with o as (update orders.orders set status = 'picked_up' where order_id = $1)
        insert into orders.order_history (order_id, sequence, to_status, actor_kind, actor_id, occurred_at)
        values ($1, 2, 'picked_up', 'driver', 'd1', $2)`,
      [orderId, new Date(startMs + seconds * 1000)],
    );
  const journey = (): Fix[] => [
    fix(10, north(pickup, 900)),
    fix(100, north(pickup, 60)),
    fix(130, pickup),
    fix(160, north(pickup, 20)),
    fix(300, north(pickup, 500)),
    fix(330, north(pickup, 900)),
  ];

  it('tells of an arrival and a departure with the times of the fixes, and of no place', async () => {
    await observe(...journey());
    assert.deepEqual(told(), ['driver.arrived pickup 100', 'driver.departed pickup 300']);
    assert.deepEqual(data.sent[0]?.data, {
      orderId,
      driverId: 'd1',
      stop: 'pickup',
      at: new Date(startMs + 100_000).toISOString(),
    });
  });

  it('tells it once, whatever is repeated, one by one and in new processes', async () => {
    for (const one of [...journey(), ...journey()]) await observe(one);
    await observe(...journey());
    assert.deepEqual(told(), ['driver.arrived pickup 100', 'driver.departed pickup 300']);
  });

  it('tells it once on several nodes at the same time, with late and shuffled fixes', async () => {
    const nodes = Array.from({ length: 8 }, async (_, node) => {
      const fixes = journey();
      for (let round = 0; round < 6; round += 1) {
        const rotated = [...fixes.slice((node + round) % 6), ...fixes.slice(0, (node + round) % 6)];
        for (const one of node % 2 === 0 ? rotated : rotated.toReversed()) await observe(one);
      }
    });
    await Promise.all(nodes);
    const events = told().map((text) => text.split(' ').slice(0, 2).join(' '));
    assert.deepEqual(events.toSorted(), ['driver.arrived pickup', 'driver.departed pickup']);
  });

  it('tells of an arrival that is learnt of late', async () => {
    await observe(fix(1000, north(pickup, 5000)));
    await observe(...journey().slice(0, 4));
    assert.deepEqual(told(), ['driver.arrived pickup 100']);
  });

  it('knows nothing of flagged fixes and of those before the assignment', async () => {
    await observe(
      fix(-100, pickup),
      fix(-50, pickup),
      fix(10, pickup, ['inaccurate']),
      fix(60, pickup, ['impossible_speed']),
      fix(90, pickup),
    );
    assert.deepEqual(told(), []);
  });

  it('counts from the assignment on, however late it is learnt of', async () => {
    await data.sql('truncate tracked_orders');
    const assignedAt = new Date(startMs + 50_000).toISOString();
    await trackOrder(data.db, { orderId, driverId: 'd1', assignedAt, version: 3 });
    await observe(fix(10, pickup), fix(40, pickup), fix(60, pickup), fix(90, pickup));
    assert.deepEqual(told(), ['driver.arrived pickup 60']);
  });

  it('begins anew with each driver of an order, in whatever order that is learnt', async () => {
    await observe(fix(10, pickup), fix(60, pickup));
    assert.deepEqual(told(), ['driver.arrived pickup 10']);
    const at = (seconds: number): string => new Date(startMs + seconds * 1000).toISOString();
    await data.sql(`update orders.orders set driver_id = 'd2' where order_id = $1`, [orderId]);
    await trackOrder(data.db, { orderId, driverId: 'd2', assignedAt: at(100), version: 5 });
    assert.equal(await pauseOrder(data.db, orderId, 4), false);
    await trackOrder(data.db, { orderId, driverId: 'd1', assignedAt: at(0), version: 3 });
    const other = (seconds: number): Fix => ({ ...fix(seconds, pickup), driverId: 'd2' });
    await observe(other(90), other(120), other(150), fix(130, north(pickup, 900)), fix(160, north(pickup, 900)));
    assert.deepEqual(told(), ['driver.arrived pickup 10', 'driver.arrived pickup 120']);
    assert.equal(await pauseOrder(data.db, orderId, 6), true);
    await observe({ ...other(200), ...north(pickup, 900) }, { ...other(250), ...north(pickup, 900) });
    assert.deepEqual(told(), ['driver.arrived pickup 10', 'driver.arrived pickup 120']);
  });

  it('looks at the destination from the pickup on, and at the departure after the completion', async () => {
    await observe(fix(10, destination), fix(60, destination));
    assert.deepEqual(told(), []);
    await pickUp(400);
    await observe(fix(390, destination), fix(399, destination), fix(500, destination), fix(530, destination));
    assert.deepEqual(told(), ['driver.arrived destination 500']);
    await data.sql(`update orders.orders set status = 'completed', updated_at = now() where order_id = $1`, [orderId]);
    await data.sql(`update tracked_orders set status = 'closed' where order_id = $1`, [orderId]);
    await observe(
      fix(600, north(destination, 400)),
      fix(650, north(destination, 900)),
      fix(700, pickup),
      fix(750, pickup),
    );
    assert.deepEqual(told(), ['driver.arrived destination 500', 'driver.departed destination 600']);
  });

  it('looks no longer at a cancelled order', async () => {
    await observe(fix(100, pickup));
    await data.sql(`update orders.orders set status = 'cancelled' where order_id = $1`, [orderId]);
    await observe(fix(150, pickup), fix(200, pickup));
    assert.deepEqual(told(), []);
  });

  it('tells of each order of a driver, and of no order of another', async () => {
    await addOrder('assigned');
    await addOrder('assigned', 'd2');
    await observe(fix(100, pickup), fix(150, pickup));
    assert.deepEqual(told().toSorted(), ['driver.arrived pickup 100', 'driver.arrived pickup other 100']);
  });

  it('takes fixes of who may not ask the orders, and of orders whose id is none', async () => {
    const counted: string[] = [];
    const denied = {
      db: {
        ...data.db,
        query: (...[statement, values]: Parameters<typeof data.db.query>) =>
          statement.name === 'list_stops_of_drivers'
            ? Promise.reject(Object.assign(new Error('permission denied'), { details: { sqlstate: '42501' } }))
            : data.db.query(statement, values),
      },
      metrics: { increment: (name: string) => void counted.push(name) },
    } as unknown as PluginContext;
    await observeAs(denied, [fix(100, pickup), fix(150, pickup)]);
    assert.deepEqual([told(), counted], [[], ['returnit_tracking_stops_unchecked_total']]);
    await data.sql(
      `insert into tracked_orders (order_id, driver_id, status, updated_at) values ('o1', 'd1', 'active', $1)`,
      [new Date(startMs)],
    );
    await observe(fix(100, pickup), fix(150, pickup));
    assert.deepEqual(told(), ['driver.arrived pickup 100']);
  });

  it('writes nothing for who is on the way', async () => {
    await observe(...Array.from({ length: 50 }, (_, index) => fix(index, north(pickup, 5000 - index))));
    assert.deepEqual(await data.sql('select from stop_visits'), []);
  });

  it('is part of the way of a message, and says again what could not be written', async () => {
    let isAway = true;
    const failing = {
      ...data.db,
      transaction: <T>(work: Parameters<typeof data.db.transaction<T>>[0]) =>
        isAway ? Promise.reject(new Error('the database is away')) : data.db.transaction(work),
    };
    const running: RunningPlugin = await runPlugin(plugin, failing);
    const messages = [fix(100, pickup), fix(150, pickup)].map(({ recordedAt, lat, lon, accuracyM }) => ({
      topic: 'drivers/d1/location',
      payload: JSON.stringify({ lat, lon, recordedAt, accuracyM }),
      username: 'd1.phone',
      receivedAt: new Date().toISOString(),
      retained: false,
      duplicate: false,
    }));
    await assert.rejects(running.receive('drivers/+/location', messages));
    assert.deepEqual(told(), []);
    isAway = false;
    await running.receive('drivers/+/location', messages);
    assert.deepEqual(told(), ['driver.arrived pickup 100']);
    assert.equal(running.counted('returnit_tracking_stops_total', { event: 'arrived', stop: 'pickup' }), 1);
    assert.doesNotMatch(JSON.stringify(running.recorded.logs), /48\.|11\.5/);
  });
});
