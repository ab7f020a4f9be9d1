import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createCellIndex, createCellMemory } from '../../../plugins/drivers/cells.ts';
import { distanceM } from '../../../plugins/drivers/distance.ts';
import { costOf, hasRoom, rank, type RankedDriver } from '../../../plugins/drivers/ranking.ts';

const weights = { distance: 100, load: 20, fairness: 20, fairnessSeconds: 3600 };

const ranked = (changes: Partial<RankedDriver> = {}): RankedDriver => ({
  driverId: 'd1',
  distanceM: 1000,
  idleSeconds: null,
  orders: 0,
  parcels: 0,
  volumeL: 0,
  openOffers: 0,
  capacity: { parcels: 10, volumeL: 100 },
  ...changes,
});

const anyDriver = fc
  .record({
    driverId: fc.string({ minLength: 1, maxLength: 4 }),
    distanceM: fc.double({ min: 0, max: 100_000, noNaN: true }),
    idleSeconds: fc.option(fc.nat(100_000)),
    orders: fc.nat(5),
    parcels: fc.nat(10),
    volumeL: fc.nat(100),
  })
  .map(ranked);
const anyWeights = fc.record({
  distance: fc.nat(1000),
  load: fc.nat(1000),
  fairness: fc.nat(1000),
  fairnessSeconds: fc.integer({ min: 60, max: 86_400 }),
});

describe('rank()', () => {
  it('asks the nearer, the emptier and the one who has waited longer first, other things being equal', () => {
    const first = (...drivers: readonly RankedDriver[]): string | undefined => rank(drivers, weights)[0]?.driverId;
    assert.equal(first(ranked({ driverId: 'far', distanceM: 2000 }), ranked({ driverId: 'near' })), 'near');
    assert.equal(first(ranked({ driverId: 'full', parcels: 9 }), ranked({ driverId: 'empty' })), 'empty');
    assert.equal(first(ranked({ driverId: 'bulky', volumeL: 90 }), ranked({ driverId: 'light', parcels: 3 })), 'light');
    assert.equal(first(ranked({ driverId: 'asked', idleSeconds: 5 }), ranked({ driverId: 'idle' })), 'idle');
    const equal = [ranked({ driverId: 'b' }), ranked({ driverId: 'a' })];
    assert.equal(first(...equal), 'a');
  });

  it('keeps everybody, is the same whatever the order they come in, and never prefers who is worse in everything', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyDriver, { selector: ({ driverId }) => driverId, maxLength: 20 }),
        anyWeights,
        (drivers, someWeights) => {
          const ids = rank(drivers, someWeights).map(({ driverId }) => driverId);
          assert.deepEqual(
            ids,
            rank(drivers.toReversed(), someWeights).map(({ driverId }) => driverId),
          );
          assert.deepEqual(ids.toSorted(), drivers.map(({ driverId }) => driverId).toSorted());
          const idle = (driver: RankedDriver): number => driver.idleSeconds ?? Infinity;
          for (const better of drivers) {
            for (const worse of drivers) {
              const isWorse =
                worse.distanceM > better.distanceM &&
                worse.parcels >= better.parcels &&
                worse.volumeL >= better.volumeL &&
                idle(worse) <= idle(better);
              if (isWorse) assert.ok(ids.indexOf(better.driverId) < ids.indexOf(worse.driverId));
            }
          }
        },
      ),
    );
  });

  it('costs are finite and not negative', () => {
    fc.assert(
      fc.property(anyDriver, anyWeights, (driver, someWeights) => {
        const cost = costOf(driver, someWeights);
        assert.ok(Number.isFinite(cost) && cost >= 0);
      }),
    );
  });
});

describe('hasRoom()', () => {
  it('counts orders, parcels and litres', () => {
    const load = ranked({ orders: 2, parcels: 8, volumeL: 90 });
    const fits = (parcels: number, volumeL: number, ordersMax = 5): boolean =>
      hasRoom(load, { parcels, volumeL }, ordersMax);
    assert.deepEqual([fits(2, 10), fits(3, 10), fits(2, 11), fits(1, 1, 2)], [true, false, false, false]);
  });
});

interface Placed {
  readonly driverId: string;
  readonly lat: number;
  readonly lon: number;
}

describe('createCellIndex()', () => {
  // Places where cells are distorted or end: pentagons (58.4 N 10.5 E is one), poles, the antimeridian; and anywhere.
  const centre = fc.oneof(
    fc.constantFrom(
      { lat: 58.397, lon: 10.536 },
      { lat: 89.5, lon: 0 },
      { lat: -17, lon: 179.9 },
      { lat: 48, lon: 11 },
    ),
    fc.record({
      lat: fc.double({ min: -89, max: 89, noNaN: true }),
      lon: fc.double({ min: -180, max: 180, noNaN: true }),
    }),
  );
  const offset = fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true }));
  const spread = fc.constantFrom(0.01, 0.1, 0.5);
  const wrap = (lon: number): number => ((lon + 540) % 360) - 180;

  it('finds the nearest that are wanted, as looking at everybody would', () => {
    fc.assert(
      fc.property(
        centre,
        spread,
        fc.array(offset, { maxLength: 150 }),
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom(2000, 20_000, 100_000),
        (place, degrees, offsets, count, distanceMaxM) => {
          const drivers = offsets.map(([lat, lon], index): Placed => ({
            driverId: `d${index}`,
            lat: Math.max(-90, Math.min(90, place.lat + lat * degrees)),
            lon: wrap(place.lon + (lon * degrees) / Math.max(0.01, Math.cos((place.lat * Math.PI) / 180))),
          }));
          const isWanted = ({ driverId }: Placed): boolean => !driverId.endsWith('7');
          const expected = drivers
            .filter(isWanted)
            .map((driver) => ({ id: driver.driverId, far: distanceM(place, driver) }))
            .filter(({ far }) => far <= distanceMaxM)
            .toSorted((left, right) => left.far - right.far || (left.id < right.id ? -1 : 1))
            .slice(0, count);
          const found = createCellIndex(drivers).nearest(place, { count, distanceMaxM, isWanted });
          assert.deepEqual(
            found.map(({ driver, distanceM: far }) => ({ id: driver.driverId, far })),
            expected,
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('finds the same among thousands, with the cells remembered', () => {
    let seed = 11;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    const drivers = Array.from({ length: 5000 }, (_, index) => ({
      driverId: `d${index}`,
      lat: 48 + random(),
      lon: 11 + random(),
    }));
    const memory = createCellMemory();
    createCellIndex(drivers, memory);
    const moved = drivers.map((each, index) => (index % 3 === 0 ? { ...each, lat: each.lat + 0.05 } : each));
    memory.keepOnly(new Set(moved.map(({ driverId }) => driverId)));
    const index = createCellIndex(moved, memory);
    for (let round = 0; round < 50; round += 1) {
      const place = { lat: 48 + random(), lon: 11 + random() };
      const search = { count: 20, distanceMaxM: 100_000, isWanted: () => true };
      const expected = moved
        .map((driver) => ({ id: driver.driverId, far: distanceM(place, driver) }))
        .toSorted((left, right) => left.far - right.far)
        .slice(0, 20);
      assert.deepEqual(
        index.nearest(place, search).map(({ driver }) => driver.driverId),
        expected.map(({ id }) => id),
      );
    }
  });
});
