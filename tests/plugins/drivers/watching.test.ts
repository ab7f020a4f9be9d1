import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createDispatching, type Dispatching } from './dispatch-fixture.ts';

describe('the watch over drivers and orders', () => {
  let fixture: Dispatching;
  before(async () => {
    fixture = await createDispatching();
  });
  after(() => fixture.stop());
  beforeEach(() => fixture.reset({ DRIVERS_SILENT_SECONDS: '600' }));

  const watch = () => fixture.running.work('drivers.watch', {});
  const assignedAgo = (orderId: string, seconds: number) =>
    fixture.data.sql(
      'update driver_assignments set assigned_at = now() - make_interval(secs => $2) where order_id = $1',
      [orderId, seconds],
    );

  it('gives what a silent driver has not picked up to another', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule();
    await fixture.locate('d1', 601);
    // Given a moment ago: it may be about to set off.
    await watch();
    assert.equal((await fixture.assignment(orderId))['driver_id'], 'd1');
    await assignedAgo(orderId, 601);
    await watch();
    const taken = fixture.sentFor(orderId, 'driver.unassigned').map(({ data }) => [data['driverId'], data['reason']]);
    assert.deepEqual(taken, [['d1', 'silent']]);
    assert.equal(fixture.running.counted('returnit_silent_drivers_total', { found: 'assigned' }), 1);
    await fixture.addDriver('d2', 500);
    await fixture.tryAgain(orderId);
    assert.equal((await fixture.assignment(orderId))['driver_id'], 'd2');
  });

  it('leaves it to a driver who is heard of', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule();
    await assignedAgo(orderId, 5000);
    await fixture.locate('d1', 590);
    await watch();
    assert.equal((await fixture.assignment(orderId))['driver_id'], 'd1');
  });

  it('tells ops once for each silence of a driver who has the parcels', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule();
    await fixture.event('order.picked_up', orderId, { driverId: 'd1' });
    await assignedAgo(orderId, 5000);
    await fixture.locate('d1', 700);
    await watch();
    await watch();
    assert.equal(fixture.sentFor(orderId, 'driver.silent').length, 1);
    assert.equal((await fixture.assignment(orderId))['driver_id'], 'd1');
    // It was heard of, and is silent again.
    await fixture.data.sql(`update driver_assignments set silence_told_at = now() - interval '1 hour'`);
    await watch();
    assert.equal(fixture.sentFor(orderId, 'driver.silent').length, 2);
    assert.equal(fixture.running.counted('returnit_silent_drivers_total', { found: 'carrying' }), 2);
  });

  it('tries orders that nobody tries: their job was lost', async () => {
    const orderId = await fixture.schedule();
    const before = fixture.sentFor(orderId, 'drivers.assign').length;
    await watch();
    assert.equal(fixture.sentFor(orderId, 'drivers.assign').length, before);
    await fixture.data.sql(`update driver_assignments
      set tried_at = now() - interval '1 hour', waiting_since = now() - interval '2 hours'`);
    await watch();
    assert.equal(fixture.sentFor(orderId, 'drivers.assign').length, before + 1);
  });

  it('shows what waits, for whom nobody was found, what is held and what is under way', async () => {
    await fixture.addDriver('d1', 100);
    const far = { lat: -48, lon: 11 };
    await fixture.schedule();
    await fixture.byHand('hold', await fixture.schedule({ pickup: far }), { reason: 'x' });
    await fixture.schedule({ pickup: far });
    const { running } = fixture;
    await running.repeat('figures');
    assert.deepEqual(
      ['waiting', 'unavailable', 'held', 'assigned'].map((state) =>
        running.shown('returnit_dispatch_orders', { state }),
      ),
      [0, 1, 1, 1],
    );
    assert.ok(Number(running.shown('returnit_dispatch_oldest_wait_seconds')) > 0);
  });
});

describe('the daily job', () => {
  let fixture: Dispatching;
  before(async () => {
    fixture = await createDispatching();
  });
  after(() => fixture.stop());
  beforeEach(() => fixture.reset({ DRIVERS_HISTORY_DAYS: '10' }));

  it('removes offers, steps and shifts of what has been over for long, and keeps the orders', async () => {
    await fixture.addDriver('d1', 100);
    const orders = [await fixture.schedule(), await fixture.schedule()];
    for (const orderId of orders) await fixture.event('order.delivered', orderId);
    await fixture.data.sql(`update driver_assignments set ended_at = now() - interval '11 days' where order_id = $1`, [
      orders[0],
    ]);
    await fixture.data.sql(`insert into driver_shifts (driver_id, kind, started_at, started_by, ended_at, ended_by)
      values ('d1', 'shift', now() - interval '12 days', 'd1', now() - interval '11 days', 'd1'),
        ('d1', 'shift', now() - interval '1 day', 'd1', null, null)`);
    await fixture.running.work('drivers.daily', {});
    const counts = await fixture.data.sql(`select (select count(*)::int from driver_offers) as offers,
      (select count(*)::int from driver_assignment_steps) as steps, (select count(*)::int from driver_shifts) as shifts,
      (select count(*)::int from driver_assignments) as assignments`);
    assert.deepEqual(counts, [{ offers: 1, steps: 2, shifts: 1, assignments: 2 }]);
  });
});
