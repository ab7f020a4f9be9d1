import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { OrderEvent } from '../../../plugins/drivers/events.ts';
import { createDispatching, ops, type Dispatching } from './dispatch-fixture.ts';

describe("an order's events", () => {
  let fixture: Dispatching;
  before(async () => {
    fixture = await createDispatching();
  });
  after(() => fixture.stop());
  beforeEach(() => fixture.reset());

  it('assign nobody to an order whose cancellation came first', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = randomUUIDv7();
    await fixture.event('order.cancelled', orderId);
    await fixture.schedule({ orderId });
    await fixture.schedule({ orderId, attempt: 2 });
    const { status, driver_id } = await fixture.assignment(orderId);
    assert.deepEqual([status, driver_id], ['ended', null]);
    assert.equal(fixture.sentFor(orderId, 'driver.assigned').length, 0);
  });

  it('look for a driver anew at each attempt, whatever was heard of the one before', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule({ attempt: 1 });
    await fixture.event('order.pickup_failed', orderId, { attempt: 1, driverId: 'd1', reason: 'nobody_home' });
    assert.equal((await fixture.assignment(orderId))['status'], 'failed');
    await fixture.schedule({ orderId, attempt: 2 });
    await fixture.tryAgain(orderId);
    // Late and again: they are of the attempt before.
    await fixture.event('order.pickup_failed', orderId, { attempt: 1, reason: 'nobody_home' });
    await fixture.schedule({ orderId, attempt: 1 });
    const { status, attempt } = await fixture.assignment(orderId);
    assert.deepEqual([status, attempt], ['accepted', 2]);
    const assigned = fixture.sentFor(orderId, 'driver.assigned').map(({ data }) => [data['attempt'], data['sequence']]);
    assert.equal(assigned.length, 2);
    assert.ok(Number(assigned[1]?.[1]) > Number(assigned[0]?.[1]));
    const story = await fixture.running.request('GET /drivers/assignments/{orderId}', {
      principal: ops,
      params: { orderId },
    });
    assert.deepEqual(
      (story.body['history'] as { step: string; reason: string | null }[]).map(({ step, reason }) => [step, reason]),
      [
        ['assigned', null],
        ['failed', 'nobody_home'],
        ['assigned', null],
      ],
    );
  });

  it('begin the next attempt before the failure of the one before is heard of', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule({ attempt: 1 });
    await fixture.schedule({ orderId, attempt: 2 });
    assert.equal((await fixture.assignment(orderId))['status'], 'waiting');
    await fixture.tryAgain(orderId);
    await fixture.event('order.pickup_failed', orderId, { attempt: 1 });
    assert.equal((await fixture.assignment(orderId))['status'], 'accepted');
  });

  it('leave the order with who has the parcels, even when it was given to another meanwhile', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule();
    await fixture.addDriver('d2', 200);
    await fixture.byHand('reassign', orderId, { driverId: 'd2' });
    await fixture.event('order.picked_up', orderId, { driverId: 'd1' });
    const { driver_id, status, picked_up_at } = await fixture.assignment(orderId);
    assert.deepEqual([driver_id, status, picked_up_at !== null], ['d1', 'accepted', true]);
    const taken = fixture.sentFor(orderId, 'driver.unassigned').at(-1)?.data;
    assert.deepEqual([taken?.['driverId'], taken?.['reason']], ['d2', 'withdrawn']);
    // Known by now: the same again says nothing new.
    await fixture.event('order.picked_up', orderId, { driverId: 'd1' });
    assert.equal(fixture.sentFor(orderId, 'driver.unassigned').length, 2);
  });

  it('tell whoever has the order here, and of whom it has not heard, that it is over', async () => {
    await fixture.addDriver('d1', 100);
    await fixture.addDriver('d2', 90_000, { onShift: false });
    for (const [name, driverId, reason] of [
      // Accepted in the moment in which the order was cancelled.
      ['order.cancelled', null, 'cancelled'],
      ['order.cancelled', 'd2', 'cancelled'],
      ['order.pickup_failed', null, 'withdrawn'],
      ['order.delivered', 'd2', 'withdrawn'],
    ] as const) {
      const orderId = await fixture.schedule();
      await fixture.event(name, orderId, { driverId });
      await fixture.event(name, orderId, { driverId });
      const [assigned] = fixture.sentFor(orderId, 'driver.assigned');
      const taken = fixture.sentFor(orderId, 'driver.unassigned').map(({ data }) => data);
      assert.deepEqual(taken, [
        { orderId, customerId: 'c1', driverId: 'd1', attempt: 1, sequence: taken[0]?.['sequence'], reason },
      ]);
      assert.ok(Number(taken[0]?.['sequence']) > Number(assigned?.data['sequence']), name);
    }
    for (const name of ['order.cancelled', 'order.pickup_failed', 'order.delivered', 'order.completed']) {
      const orderId = await fixture.schedule();
      await fixture.event(name, orderId, { driverId: 'd1' });
      assert.deepEqual(fixture.sentFor(orderId, 'driver.unassigned'), [], `${name} tells d1 itself`);
    }
  });

  it('are taken from a publisher that tells less', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = randomUUIDv7();
    const end = new Date(Date.now() + 3_600_000).toISOString();
    const data = { orderId, customerId: 'c1', pickup: { lat: 48.137, lon: 11.575 }, pickupWindow: { end } };
    await fixture.running.deliver('order.scheduled', data);
    const { attempt, parcels, driver_id } = await fixture.assignment(orderId);
    assert.deepEqual([attempt, parcels, driver_id], [1, 1, 'd1']);
    await fixture.running.deliver('order.cancelled', { orderId });
    assert.equal((await fixture.assignment(orderId))['status'], 'ended');
  });

  it('of a driver who is not known here are put aside', async () => {
    const orderId = await fixture.schedule();
    await fixture.event('order.picked_up', orderId, { driverId: 'nobody' });
    assert.equal((await fixture.assignment(orderId))['status'], 'waiting');
    assert.equal(fixture.running.recorded.logs.at(-1)?.level, 'warn');
  });

  it('lead to the same end in whatever order they come', async () => {
    const story: readonly (readonly [string, Partial<OrderEvent>])[] = [
      ['order.scheduled', { attempt: 1 }],
      ['order.pickup_failed', { attempt: 1, driverId: 'd1', reason: 'nobody_home' }],
      ['order.scheduled', { attempt: 2 }],
      ['order.picked_up', { attempt: 2, driverId: 'd1' }],
    ];
    await fixture.addDriver('d1', 100);
    await fixture.addDriver('d2', 100);
    const orders = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 });
    await fc.assert(
      fc.asyncProperty(orders, fc.constantFrom(null, 'order.delivered', 'order.cancelled'), async (order, last) => {
        const orderId = randomUUIDv7();
        for (const index of order) {
          const [name, changes] = story[index] ?? ['', {}];
          await fixture.event(name, orderId, changes);
          if ((await fixture.assignment(orderId))['status'] === 'waiting') await fixture.tryAgain(orderId);
        }
        const { status, driver_id, attempt, picked_up_at } = await fixture.assignment(orderId);
        assert.deepEqual([status, driver_id, attempt, picked_up_at !== null], ['accepted', 'd1', 2, true]);
        const sequences = [
          ...fixture.sentFor(orderId, 'driver.assigned'),
          ...fixture.sentFor(orderId, 'driver.unassigned'),
        ];
        const numbers = sequences.map(({ data }) => data['sequence']);
        assert.equal(new Set(numbers).size, numbers.length);
        await fixture.event(last ?? 'order.completed', orderId);
        for (const index of order) {
          const [name, changes] = story[index] ?? ['', {}];
          await fixture.event(name, orderId, changes);
        }
        assert.equal((await fixture.assignment(orderId))['status'], 'ended');
      }),
      { numRuns: 24 },
    );
  });
});
