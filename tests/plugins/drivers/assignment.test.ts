import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { assignmentRules, fallbackOf, retryDelaySeconds, toPlace } from '../../../plugins/drivers/assignment.ts';
import { tryAssign } from '../../../plugins/drivers/dispatch.ts';
import { plugin } from '../../../plugins/drivers/plugin.ts';
import { insertWaiting } from '../../../plugins/drivers/store/assignments.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type RunningPlugin } from '../support/plugin-context.ts';

const munich = { lat: 48.137, lon: 11.575 };
const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

describe('assignment', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('drivers', 'tracking');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate drivers, driver_devices, assignments, tracking.newest_positions');
    running = await runPlugin(plugin, data.db);
  });

  /** A driver on shift, so many metres north of the place. */
  async function addDriver(
    driverId: string,
    metres: number,
    changes: { onShift?: boolean; ageSeconds?: number } = {},
  ): Promise<void> {
    const { onShift = true, ageSeconds = 0 } = changes;
    await data.sql(`insert into drivers (driver_id, name, vehicle, on_shift) values ($1, 'x', 'van', $2)`, [
      driverId,
      onShift,
    ]);
    await data.sql(
      `insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon)
        values ($1, 'x', now() - make_interval(secs => $2), $3, $4)`,
      [driverId, ageSeconds, munich.lat + metres / 111_195, munich.lon],
    );
  }
  const schedule = async (orderId: string = randomUUIDv7(), pickup = munich, end = inAnHour()): Promise<string> => {
    await running.deliver('order.scheduled', { orderId, customerId: 'c1', pickup, pickupWindow: { end } });
    return orderId;
  };
  const driverOf = async (orderId: string): Promise<unknown> =>
    (await data.sql('select driver_id from assignments where order_id = $1', [orderId]))[0]?.['driver_id'];
  const sentFor = (orderId: string, name: string) =>
    data.find(name).filter((entry) => entry.data['orderId'] === orderId);

  it('takes the nearest driver on shift whose position is fresh', async () => {
    await addDriver('far', 3000);
    await addDriver('near', 1000);
    await addDriver('off-shift', 10, { onShift: false });
    await addDriver('silent', 20, { ageSeconds: assignmentRules.positionAgeMaxSeconds + 1 });
    const orderId = await schedule();
    assert.equal(await driverOf(orderId), 'near');
    assert.deepEqual(sentFor(orderId, 'driver.assigned')[0]?.data, { orderId, driverId: 'near', customerId: 'c1' });
    assert.equal(running.counted('returnit_assignments_total', { outcome: 'assigned' }), 1);
  });

  it('passes a driver by who has enough orders, and comes back when one of them is over', async () => {
    await addDriver('near', 100);
    await addDriver('far', 5000);
    const orders: string[] = [];
    for (let index = 0; index <= assignmentRules.ordersPerDriverMax; index += 1) orders.push(await schedule());
    assert.equal(await driverOf(orders.at(-1) ?? ''), 'far');
    await running.deliver('order.completed', { orderId: orders[0] });
    assert.equal(await driverOf(await schedule()), 'near');
  });

  it('gives an order to one driver when 10 transactions try at once', async () => {
    for (let index = 0; index < 10; index += 1) await addDriver(`d${index}`, 100 * index);
    const orderId = randomUUIDv7();
    await insertWaiting(data.db, { orderId, customerId: 'c1', pickup: munich, windowEnd: inAnHour() });
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => data.db.transaction((tx) => tryAssign(tx, { orderId }, Date.now))),
    );
    assert.equal(outcomes.filter((outcome) => outcome === 'assigned').length, 1);
    assert.equal(outcomes.filter((outcome) => outcome === 'settled').length, 9);
    assert.equal(sentFor(orderId, 'driver.assigned').length, 1);
  });

  it('overloads nobody when many orders are assigned at once', async () => {
    await addDriver('d1', 100);
    await addDriver('d2', 200);
    const room = 2 * assignmentRules.ordersPerDriverMax;
    const orders = await Promise.all(Array.from({ length: room + 5 }, () => schedule()));
    const loads = await data.sql(
      `select driver_id, count(*)::int as load from assignments where status = 'assigned' group by driver_id order by 1`,
    );
    assert.deepEqual(loads, [
      { driver_id: 'd1', load: assignmentRules.ordersPerDriverMax },
      { driver_id: 'd2', load: assignmentRules.ordersPerDriverMax },
    ]);
    assert.equal(orders.filter((orderId) => sentFor(orderId, 'driver.unavailable').length === 1).length, 5);
  });

  it('says once that nobody is there, and tries again later with longer and longer waits', async () => {
    const orderId = await schedule();
    let job = sentFor(orderId, 'drivers.assign').at(-1);
    const waits = [job?.options?.startAfterSeconds];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await running.work('drivers.assign', job?.data ?? {});
      job = sentFor(orderId, 'drivers.assign').at(-1);
      waits.push(job?.options?.startAfterSeconds);
    }
    assert.deepEqual(waits, [5, 10, 20, 40, 60, 60]);
    assert.equal(new Set(sentFor(orderId, 'drivers.assign').map((sent) => sent.options?.singletonKey)).size, 6);
    assert.equal(sentFor(orderId, 'driver.unavailable').length, 1);
    await addDriver('d1', 100);
    await running.work('drivers.assign', job?.data ?? {});
    assert.equal(await driverOf(orderId), 'd1');
  });

  it('gives up when the pickup window is over', async () => {
    const orderId = await schedule(randomUUIDv7(), munich, new Date(Date.now() - 1000).toISOString());
    const unavailable = sentFor(orderId, 'driver.unavailable');
    assert.deepEqual(
      unavailable.map(({ data }) => data['final']),
      [true],
    );
    assert.equal(sentFor(orderId, 'drivers.assign').length, 0);
  });

  it('tries waiting orders when a driver goes on shift, and when a position comes after a silence', async () => {
    await addDriver('d1', 100, { onShift: false });
    const orderId = await schedule();
    const ops = { id: 'o1', role: 'ops' } as const;
    await running.deliver('driver.located', { driverId: 'd1' });
    assert.equal(sentFor(orderId, 'drivers.assign').length, 1);
    const shift = { principal: ops, params: { driverId: 'd1' }, body: { onShift: true } };
    assert.equal((await running.request('POST /drivers/{driverId}/shift', shift)).body['onShift'], true);
    await running.deliver('driver.located', { driverId: 'd1' }, 'e2');
    const tries = sentFor(orderId, 'drivers.assign').slice(1);
    assert.deepEqual(
      tries.map((sent) => sent.options?.singletonKey),
      [`${orderId}:now`, `${orderId}:now`],
    );
    await running.work('drivers.assign', tries[0]?.data ?? {});
    assert.equal(await driverOf(orderId), 'd1');
  });

  it('assigns nobody to an order whose cancellation came first', async () => {
    await addDriver('d1', 100);
    const orderId = randomUUIDv7();
    await running.deliver('order.cancelled', { orderId });
    await schedule(orderId);
    assert.equal(await driverOf(orderId), null);
    assert.equal(sentFor(orderId, 'driver.assigned').length, 0);
  });

  it('computes a distance from places where arithmetic would underflow', async () => {
    await addDriver('d1', 100);
    const orderId = await schedule(randomUUIDv7(), { lat: 1e-300, lon: 5e-324 });
    assert.equal(await driverOf(orderId), null);
    assert.deepEqual(toPlace({ lat: -0, lon: 1e-300 }), { lat: 0, lon: 0 });
  });
});

describe('fallbackOf()', () => {
  it('doubles the wait up to a minute, and ends with the window', () => {
    assert.deepEqual([0, 1, 2, 3, 4, 1000].map(retryDelaySeconds), [5, 10, 20, 40, 60, 60]);
    assert.deepEqual(fallbackOf(1, 100, 99), { kind: 'retry', afterSeconds: 10 });
    assert.deepEqual(fallbackOf(1, 100, 100), { kind: 'expire' });
  });
});
