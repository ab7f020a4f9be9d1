import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { distanceM, positionAt, reverseRoute } from '#core/cli/demo/route-point.ts';
import { createSyntheticRoute } from '#core/cli/demo/synthetic-route.ts';

const route = [
  { lat: 40, lon: -73, offsetMs: 0 },
  { lat: 40.2, lon: -73, offsetMs: 1000 },
  { lat: 40.2, lon: -73.4, offsetMs: 3000 },
];
const near = (actual: { lat: number; lon: number }, lat: number, lon: number): void => {
  assert.ok(Math.abs(actual.lat - lat) < 1e-9 && Math.abs(actual.lon - lon) < 1e-9, JSON.stringify(actual));
};

describe('positionAt()', () => {
  it('is between the points around the offset, and at the ends outside', () => {
    near(positionAt(route, -5), 40, -73);
    near(positionAt(route, 0), 40, -73);
    near(positionAt(route, 500), 40.1, -73);
    near(positionAt(route, 1000), 40.2, -73);
    near(positionAt(route, 2000), 40.2, -73.2);
    near(positionAt(route, 99_000), 40.2, -73.4);
  });

  it('takes points of the same time and refuses an empty route', () => {
    near(positionAt([{ lat: 1, lon: 1, offsetMs: 0 }], 10), 1, 1);
    near(
      positionAt(
        route.map((point) => ({ ...point, offsetMs: 0 })),
        0,
      ),
      40,
      -73,
    );
    assert.throws(() => positionAt([], 0), RangeError);
  });
});

describe('reverseRoute()', () => {
  it('is the same way back', () => {
    const back = reverseRoute(route);
    assert.deepEqual(
      back.map(({ offsetMs }) => offsetMs),
      [0, 2000, 3000],
    );
    near(positionAt(back, 1000), 40.2, -73.2);
    assert.deepEqual(reverseRoute(back), route);
    assert.deepEqual(reverseRoute([]), []);
  });
});

describe('distanceM()', () => {
  it('is the length of a degree of latitude', () => {
    assert.ok(Math.abs(distanceM({ lat: 0, lon: 0 }, { lat: 1, lon: 0 }) - 111_195) < 1);
    assert.equal(distanceM({ lat: 1, lon: 1 }, { lat: 1, lon: 1 }), 0);
  });
});

describe('createSyntheticRoute()', () => {
  it('moves each second at the speed of city traffic, whatever the dice say', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 30, maxLength: 30 }),
        fc.integer({ min: 1, max: 28 }),
        (dice, blocks) => {
          let next = 0;
          const points = createSyntheticRoute({ random: () => dice[next++ % dice.length] ?? 0, blocks });
          assert.ok(points.length > blocks);
          for (const [index, point] of points.entries()) {
            assert.equal(point.offsetMs, index * 1000);
            const previous = points[index - 1];
            if (previous === undefined) continue;
            const metres = distanceM(previous, point);
            assert.ok(metres > 5 && metres < 12, String(metres));
          }
        },
      ),
    );
  });
});
