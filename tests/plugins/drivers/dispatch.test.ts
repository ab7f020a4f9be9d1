import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { retryDelaySeconds, toPlace } from '../../../plugins/drivers/assignment.ts';
import { createDispatching, munich, ops, type Dispatching } from './dispatch-fixture.ts';

const ordersMax = 5;

describe('dispatch()', () => {
  let fixture: Dispatching;
  before(async () => {
    fixture = await createDispatching();
  });
  after(() => fixture.stop());
  beforeEach(() => fixture.reset());

  const driverOf = async (orderId: string): Promise<unknown> => (await fixture.assignment(orderId))['driver_id'];

  it('gives an order to the best driver on shift whose position is fresh, who accepts by itself', async () => {
    await fixture.addDriver('far', 3000);
    await fixture.addDriver('near', 1000);
    await fixture.addDriver('off-shift', 10, { onShift: false });
    await fixture.addDriver('on-break', 10, { onBreak: true });
    await fixture.addDriver('applied', 10, { onShift: false, status: 'applied' });
    await fixture.addDriver('silent', 20, { ageSeconds: 301 });
    const orderId = await fixture.schedule({ attempt: 1 });
    assert.equal((await fixture.assignment(orderId))['status'], 'accepted');
    assert.deepEqual(fixture.sentFor(orderId, 'driver.assigned')[0]?.data, {
      orderId,
      driverId: 'near',
      customerId: 'c1',
      attempt: 1,
      sequence: 1,
      by: 'dispatch',
    });
    const { running } = fixture;
    assert.equal(running.counted('returnit_assignments_total', { outcome: 'assigned' }), 1);
    assert.equal(running.counted('returnit_offers_total', { outcome: 'accepted' }), 1);
    assert.equal(running.recorded.observed.filter(({ name }) => name === 'returnit_assign_seconds').length, 1);
  });

  it('passes a driver by who has enough orders, and comes back when one of them is over', async () => {
    await fixture.addDriver('near', 100);
    await fixture.addDriver('far', 50_000);
    const orders: string[] = [];
    for (let index = 0; index <= ordersMax; index += 1) orders.push(await fixture.schedule());
    assert.equal(await driverOf(orders.at(-1) ?? ''), 'far');
    await fixture.event('order.delivered', orders[0] ?? '');
    assert.equal(await driverOf(await fixture.schedule()), 'near');
  });

  it('puts no more into a vehicle than it holds', async () => {
    await fixture.addDriver('bicycle', 100, { vehicle: 'bicycle' });
    await fixture.addDriver('small', 200, { capacityParcels: 3 });
    await fixture.addDriver('van', 5000);
    const [first, second, third] = [
      await fixture.schedule({ parcels: 4 }),
      await fixture.schedule({ parcels: 3 }),
      await fixture.schedule({ parcels: 2, volumeL: 200 }),
    ];
    const drivers = await Promise.all([first, second, third].map(driverOf));
    assert.deepEqual(drivers, ['bicycle', 'small', 'van']);
    const tooLarge = await fixture.schedule({ parcels: 151 });
    assert.equal(await driverOf(tooLarge), null);
  });

  it('overloads nobody when many orders are assigned at once', async () => {
    await fixture.addDriver('d1', 100);
    await fixture.addDriver('d2', 200);
    const orders = await Promise.all(Array.from({ length: 2 * ordersMax + 5 }, () => fixture.schedule()));
    const isOpen = async (orderId: string): Promise<boolean> =>
      (await driverOf(orderId)) === null && fixture.sentFor(orderId, 'driver.unavailable').length === 0;
    // Others were faster with the drivers that were found: it is tried again at once.
    for (const orderId of orders) while (await isOpen(orderId)) await fixture.tryAgain(orderId);
    const loads = await fixture.data.sql(
      `select driver_id, count(*)::int as load from driver_assignments where status = 'accepted' group by driver_id order by 1`,
    );
    assert.deepEqual(loads, [
      { driver_id: 'd1', load: ordersMax },
      { driver_id: 'd2', load: ordersMax },
    ]);
    assert.equal(orders.filter((orderId) => fixture.sentFor(orderId, 'driver.unavailable').length === 1).length, 5);
  });

  it('says once that nobody is there, and tries again later with longer and longer waits', async () => {
    const orderId = await fixture.schedule();
    let job = fixture.sentFor(orderId, 'drivers.assign').at(-1);
    const waits = [job?.options?.startAfterSeconds];
    for (let tries = 0; tries < 5; tries += 1) {
      await fixture.running.work('drivers.assign', job?.data ?? {});
      job = fixture.sentFor(orderId, 'drivers.assign').at(-1);
      waits.push(job?.options?.startAfterSeconds);
    }
    assert.deepEqual(waits, [5, 10, 20, 40, 60, 60]);
    const keys = fixture.sentFor(orderId, 'drivers.assign').map((sent) => sent.options?.singletonKey);
    assert.equal(new Set(keys).size, 6);
    const unavailable = fixture.sentFor(orderId, 'driver.unavailable');
    assert.deepEqual(
      unavailable.map(({ data }) => data),
      [{ orderId, customerId: 'c1', attempt: 1, final: false }],
    );
    await fixture.addDriver('d1', 100);
    await fixture.running.work('drivers.assign', job?.data ?? {});
    assert.equal(await driverOf(orderId), 'd1');
  });

  it('gives up when the pickup window is over', async () => {
    const orderId = await fixture.schedule({ pickupWindow: { end: new Date(Date.now() - 1000).toISOString() } });
    assert.deepEqual(
      fixture.sentFor(orderId, 'driver.unavailable').map(({ data }) => data['final']),
      [true],
    );
    assert.equal(fixture.sentFor(orderId, 'drivers.assign').length, 0);
    assert.equal((await fixture.assignment(orderId))['status'], 'expired');
  });

  it('gives up when the pickup window is over, though a driver is near; who was asked before may still accept', async () => {
    const isOver = { pickupWindow: { end: new Date(Date.now() - 1000).toISOString() } };
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule(isOver);
    assert.deepEqual([await driverOf(orderId), (await fixture.offers(orderId)).length], [null, 0]);
    assert.deepEqual(
      fixture.sentFor(orderId, 'driver.unavailable').map(({ data }) => data['final']),
      [true],
    );
    await fixture.data.sql('update drivers set auto_accept = false');
    const asked = await fixture.schedule();
    const endNow = () =>
      fixture.data.sql('update driver_assignments set window_end = now() where order_id = $1', [asked]);
    await endNow();
    await fixture.tryAgain(asked);
    assert.equal((await fixture.assignment(asked))['status'], 'waiting');
    const [offer] = await fixture.offers(asked);
    assert.ok(offer !== undefined);
    await fixture.answer(offer, 'decline');
    await fixture.addDriver('d2', 200);
    await fixture.tryAgain(asked);
    assert.deepEqual([await driverOf(asked), (await fixture.assignment(asked))['status']], [null, 'expired']);
  });

  it('tries waiting orders when a driver goes on shift, ends a break, or is heard of after a silence', async () => {
    await fixture.addDriver('d1', 100, { onShift: false });
    const orderId = await fixture.schedule();
    await fixture.running.deliver('driver.located', { driverIds: ['d1'] });
    assert.equal(fixture.sentFor(orderId, 'drivers.assign').length, 1);
    const post = (path: string, body: object) =>
      fixture.running.request(`POST /drivers/{driverId}/${path}`, { principal: ops, params: { driverId: 'd1' }, body });
    assert.equal((await post('shift', { onShift: true })).body['onShift'], true);
    await post('break', { onBreak: true });
    await post('break', { onBreak: false });
    await fixture.running.deliver('driver.located', { driverIds: ['nobody', 'd1'] }, 'e2');
    const tries = fixture.sentFor(orderId, 'drivers.assign').slice(1);
    assert.deepEqual(
      tries.map((sent) => sent.options?.singletonKey),
      [`${orderId}:now`, `${orderId}:now`, `${orderId}:now`],
    );
    await fixture.running.work('drivers.assign', tries[0]?.data ?? {});
    assert.equal(await driverOf(orderId), 'd1');
  });

  it('leaves alone, when a driver becomes free, what as many are being asked for as may be', async () => {
    const triesWith = async (offersAtOnce: string, isOver = false): Promise<number> => {
      await fixture.reset({ DRIVERS_OFFERS_AT_ONCE: offersAtOnce });
      await fixture.addDriver('d1', 100, { autoAccept: false });
      const orderId = await fixture.schedule();
      if (isOver) await fixture.data.sql(`update driver_offers set expires_at = now() - interval '1 s'`);
      await fixture.running.deliver('driver.located', { driverIds: ['d1'] }, `located-${orderId}`);
      const tries = fixture.sentFor(orderId, 'drivers.assign').map(({ options }) => options?.singletonKey);
      return tries.filter((key) => key === `${orderId}:now`).length;
    };
    assert.equal(await triesWith('1'), 0, 'one is asked, and no more may be');
    assert.equal(await triesWith('2'), 1, 'another may be asked as well');
    assert.equal(await triesWith('1', true), 1, 'the time to answer is over');
  });

  it('finds the next free driver, though its picture of them is old', async () => {
    await fixture.reset({ DRIVERS_INDEX_MS: '60000', DRIVERS_ORDERS_MAX: '1', DRIVERS_CANDIDATES_MAX: '2' });
    for (let index = 0; index < 5; index += 1) await fixture.addDriver(`d${index}`, 100 * index);
    const drivers = [];
    for (let index = 0; index < 5; index += 1) drivers.push(await driverOf(await fixture.schedule()));
    assert.deepEqual(drivers, ['d0', 'd1', 'd2', 'd3', 'd4']);
    const orderId = await fixture.schedule();
    assert.equal(fixture.sentFor(orderId, 'driver.unavailable').length, 1);
  });

  it('leaves a job of an earlier wait without effect', async () => {
    const orderId = await fixture.schedule();
    const late = fixture.sentFor(orderId, 'drivers.assign').at(-1)?.data ?? {};
    await fixture.byHand('hold', orderId, { reason: 'asked to' });
    await fixture.byHand('release', orderId);
    await fixture.addDriver('d1', 100);
    await fixture.running.work('drivers.assign', late);
    assert.equal(await driverOf(orderId), null);
    await fixture.tryAgain(orderId);
    assert.equal(await driverOf(orderId), 'd1');
  });

  it('finds distances from places where arithmetic would underflow', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule({ pickup: { lat: 1e-300, lon: 5e-324 } });
    assert.equal(await driverOf(orderId), null);
    assert.deepEqual(toPlace({ lat: -0, lon: 1e-300 }), { lat: 0, lon: 0 });
  });

  it('gives an order to one driver when two nodes try at once, over and over', async () => {
    for (let index = 0; index < 6; index += 1) await fixture.addDriver(`d${index}`, 100 * index);
    const other = await fixture.node();
    for (let round = 0; round < 10; round += 1) {
      const orderId = randomUUIDv7();
      // Heard of while nobody could be found, so that it waits.
      await fixture.schedule({ orderId, pickup: { lat: -munich.lat, lon: munich.lon } });
      await fixture.data.sql('update driver_assignments set pickup_lat = $1 where order_id = $2', [
        munich.lat,
        orderId,
      ]);
      const nodes = [fixture.running, other, fixture.running, other];
      await Promise.all(nodes.map((node) => node.work('drivers.assign', { orderId })));
      assert.equal(fixture.sentFor(orderId, 'driver.assigned').length, 1);
      assert.equal((await fixture.offers(orderId)).length, 1);
      await fixture.event('order.delivered', orderId);
    }
  });
});

describe('retryDelaySeconds()', () => {
  it('doubles the wait up to a minute', () => {
    assert.deepEqual([0, 1, 2, 3, 4, 1000].map(retryDelaySeconds), [5, 10, 20, 40, 60, 60]);
  });
});
