import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { guard } from '../../../plugins/drivers/open-optimiser.ts';
import { createVroom } from '../../../plugins/drivers/vroom.ts';
import { createDispatching, driver, munich, type Dispatching } from './dispatch-fixture.ts';
import { manners, startVroomServer, type VroomServer } from './vroom-server.ts';

describe('GET /drivers/{driverId}/route', () => {
  let fixture: Dispatching;
  let server: VroomServer;
  before(async () => {
    fixture = await createDispatching();
    server = await startVroomServer();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });
  beforeEach(() => {
    server.manner = manners.route;
    server.asked.length = 0;
    return fixture.reset({ DRIVERS_VROOM_URL: server.url.href, DRIVERS_VROOM_TIMEOUT_MS: '8000' });
  });

  interface Shown {
    readonly source: string;
    readonly startsAtPosition: boolean;
    readonly stops: readonly { orderId: string; kind: string; arriveAt: string; window: { end: string | null } }[];
  }
  const route = async (id = 'd1'): Promise<Shown> => {
    const reply = await fixture.running.request('GET /drivers/{driverId}/route', {
      principal: driver(id),
      params: { driverId: 'd1' },
    });
    return (reply.status === 200 ? reply.body : { source: reply.code }) as unknown as Shown;
  };
  const counted = (outcome: string): number =>
    fixture.running.counted('returnit_optimiser_requests_total', { outcome });

  /** Three orders of one driver; the parcels of the first are in the vehicle. */
  async function load(): Promise<readonly string[]> {
    await fixture.addDriver('d1', 100);
    const orders = [];
    for (const km of [1, 2, 3]) {
      const pickup = { lat: munich.lat + km / 111.195, lon: munich.lon };
      orders.push(await fixture.schedule({ pickup, parcels: km }));
    }
    await fixture.event('order.picked_up', orders[0] ?? '', { driverId: 'd1' });
    return orders;
  }

  it('is planned by insertion where there is no optimiser, of what is left of each order', async () => {
    await fixture.reset();
    const [onBoard] = await load();
    const { source, startsAtPosition, stops } = await route();
    assert.deepEqual([source, startsAtPosition, stops.length], ['insertion', true, 5]);
    assert.deepEqual(
      stops.filter(({ orderId }) => orderId === onBoard).map(({ kind }) => kind),
      ['destination'],
    );
    const arrivals = stops.map(({ arriveAt }) => arriveAt);
    assert.deepEqual(arrivals, arrivals.toSorted());
    assert.equal((await route('d2')).source, 'DRIVER_NOT_FOUND');
    await fixture.locate('d1', 100_000);
    assert.equal((await route()).startsAtPosition, false);
  });

  it('is ordered by VROOM, which is told of places, windows and loads', async () => {
    const [onBoard, second, third] = await load();
    const { source, stops } = await route();
    assert.equal(source, 'vroom');
    assert.deepEqual(
      stops.map(({ kind, orderId }) => [kind, orderId]),
      [
        ['pickup', second],
        ['pickup', third],
        ['destination', onBoard],
        ['destination', third],
        ['destination', second],
      ],
    );
    const [asked] = server.asked;
    assert.deepEqual(asked?.vehicles[0]?.capacity, [150]);
    assert.deepEqual(asked?.vehicles[0]?.start, [11.575, 48.1379]);
    assert.deepEqual(
      asked?.shipments.map(({ amount }) => amount),
      [[2], [3]],
    );
    assert.ok(Array.isArray(asked?.shipments[0]?.pickup.time_windows));
    assert.deepEqual(asked?.jobs[0]?.delivery, [1]);
    assert.equal(counted('ordered'), 1);
  });

  it('is planned here when VROOM fails, is slow or answers what cannot be driven; then it is spared for a while', async () => {
    await load();
    const failures = [
      ['unassigned', 'unassigned'],
      ['inputError', 'refused'],
      ['broken', 'refused'],
      ['notJson', 'answer'],
      ['reset', 'unreachable'],
      ['unknownStep', 'answer'],
      ['route', 'skipped'],
    ] as const;
    for (const [manner, outcome] of failures) {
      server.manner = manners[manner];
      const counts = counted(outcome);
      const { source, stops } = await route();
      assert.deepEqual([source, stops.length, counted(outcome) - counts], ['insertion', 5, 1], manner);
    }
    await fixture.reset({ DRIVERS_VROOM_URL: server.url.href, DRIVERS_VROOM_TIMEOUT_MS: '100' });
    await load();
    server.manner = manners.silent;
    assert.deepEqual([(await route()).source, counted('timeout')], ['insertion', 1]);
    await fixture.reset({ DRIVERS_VROOM_URL: server.url.href, DRIVERS_VROOM_TIMEOUT_MS: '8000' });
    await load();
    for (const manner of [manners.noRoutes, manners.deliveryFirst]) {
      server.manner = manner;
      assert.equal((await route()).source, 'insertion');
    }
    assert.deepEqual([counted('answer'), counted('ordered')], [1, 1]);
  });

  it('asks an optimiser again when it was spared', async () => {
    let nowMs = 0;
    const outcomes: (string | undefined)[] = [];
    const metrics = {
      increment: (_name: string, labels?: Readonly<Record<string, string>>) => void outcomes.push(labels?.['outcome']),
      set: () => undefined,
      observe: () => undefined,
    };
    const optimiser = guard(
      { metrics },
      createVroom({ url: new URL('http://127.0.0.1:9/'), timeoutMs: 500 }),
      () => nowMs,
    );
    const problem = { start: munich, startMs: 0, speedMps: 7, stopSeconds: 0, capacity: 1, orders: [] };
    for (let index = 0; index < 6; index += 1) await optimiser.order(problem);
    nowMs += 31_000;
    await optimiser.order(problem);
    assert.deepEqual(outcomes, [...Array.from({ length: 5 }, () => 'unreachable'), 'skipped', 'unreachable']);
  });
});
