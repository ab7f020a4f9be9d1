import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { distanceM } from '../../../plugins/tracking/distance.ts';
import { noVisit, observe, type Sighting, type Visit } from '../../../plugins/tracking/visit.ts';

const rules = { arriveM: 100, departM: 200, dwellMs: 20_000 };
const see = (sightings: readonly Sighting[], from: Visit = noVisit): Visit =>
  sightings.reduce((visit, sighting) => observe(visit, sighting, rules), from);
/** One a ten seconds, at these distances. */
const walk = (distances: readonly number[], accuracyM: number | null = 5): Sighting[] =>
  distances.map((distance, index) => ({ atMs: index * 10_000, distanceM: distance, accuracyM }));

describe('distanceM()', () => {
  it('agrees with known distances', () => {
    // A degree of latitude, and of longitude at 60°, on a sphere of the mean radius.
    assert.ok(Math.abs(distanceM({ lat: 0, lon: 0 }, { lat: 1, lon: 0 }) - 111_195) < 1);
    assert.ok(Math.abs(distanceM({ lat: 60, lon: 10 }, { lat: 60, lon: 11 }) - 55_597) < 5);
    assert.ok(Math.abs(distanceM({ lat: 0, lon: 179.9995 }, { lat: 0, lon: -179.9995 }) - 111.2) < 0.1);
    assert.equal(distanceM({ lat: 48.1, lon: 11.5 }, { lat: 48.1, lon: 11.5 }), 0);
    // Paris to London.
    assert.ok(Math.abs(distanceM({ lat: 48.8566, lon: 2.3522 }, { lat: 51.5074, lon: -0.1278 }) - 343_556) < 200);
    assert.ok(distanceM({ lat: 90, lon: 0 }, { lat: 90, lon: 120 }) < 0.001);
    assert.ok(distanceM({ lat: 90, lon: 0 }, { lat: -90, lon: 180 }) < 20_015_200);
  });
});

describe('observe()', () => {
  it('arrives with the first of two fixes inside that are long enough apart, and departs likewise', () => {
    const visit = see(walk([500, 300, 90, 40, 10, 10, 150, 250, 300, 400, 500]));
    assert.deepEqual([visit.arrivedMs, visit.departedMs], [20_000, 70_000]);
  });

  it('does not arrive for who drives past, at one fix a second', () => {
    const past = Array.from({ length: 60 }, (_, index) => ({
      atMs: index * 1000,
      distanceM: Math.abs(index - 30) * 14,
      accuracyM: 5,
    }));
    assert.equal(see(past).arrivedMs, null);
  });

  it('takes accuracy into account on both borders', () => {
    assert.equal(see(walk([90, 90, 90, 90], 11)).arrivedMs, null);
    assert.equal(see(walk([90, 90, 90, 90], 10)).arrivedMs, 0);
    assert.equal(see(walk([90, 90, 90, 90], null)).arrivedMs, null);
    assert.equal(see(walk([80, 80, 80, 80], null)).arrivedMs, 0);
    assert.equal(see(walk([0, 0, 0, 0], 101)).arrivedMs, null);
    const arrived = see(walk([0, 0, 0]));
    const away = (distance: number, accuracyM: number): Sighting[] =>
      [100_000, 130_000].map((atMs) => ({ atMs, distanceM: distance, accuracyM }));
    assert.equal(see(away(300, 100), arrived).departedMs, null);
    assert.equal(see(away(300, 99), arrived).departedMs, 100_000);
  });

  it('an excursion that is taken back is no departure, and an interrupted stay no arrival', () => {
    assert.equal(see(walk([0, 0, 0, 250, 0, 250, 0, 250, 0])).departedMs, null);
    assert.equal(see(walk([0, 250, 0, 250, 0, 250, 0])).arrivedMs, null);
  });

  it('two fixes with a long silence between them are no stay', () => {
    const apart = (gapMs: number) => [0, gapMs].map((atMs) => ({ atMs, distanceM: 0, accuracyM: 5 }));
    assert.equal(see(apart(600_001)).arrivedMs, null);
    assert.equal(see(apart(600_000)).arrivedMs, 0);
  });

  const walks = fc.array(
    fc.record({ step: fc.integer({ min: -60, max: 60 }), seconds: fc.integer({ min: 0, max: 90 }) }),
    {
      minLength: 1,
      maxLength: 200,
    },
  );
  const toSightings = (
    steps: readonly { step: number; seconds: number }[],
    startM: number,
    within: [number, number],
  ) => {
    let distance = startM;
    let atMs = 0;
    return steps.map(({ step, seconds }) => {
      distance = Math.min(within[1], Math.max(within[0], distance + step));
      atMs += seconds * 1000;
      return { atMs, distanceM: distance, accuracyM: 0 };
    });
  };
  const count = (sightings: readonly Sighting[]): { readonly arrivals: number; readonly departures: number } => {
    let visit = noVisit;
    let [arrivals, departures] = [0, 0];
    for (const sighting of sightings) {
      const next = observe(visit, sighting, rules);
      if (next.arrivedMs !== visit.arrivedMs) arrivals += 1;
      if (next.departedMs !== visit.departedMs) departures += 1;
      visit = next;
    }
    return { arrivals, departures };
  };

  it('a random walk, also repeated and shuffled, arrives at most once and departs at most once, and after it', () => {
    fc.assert(
      fc.property(walks, fc.integer(), (steps, seed) => {
        const walked = toSightings(steps, 150, [0, 400]);
        const shuffled = [...walked, ...walked]
          .map((sighting, index) => ({ sighting, key: Math.imul(index + 1, seed | 1) }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ sighting }) => sighting);
        for (const sightings of [walked, [...walked, ...walked], shuffled]) {
          const { arrivals, departures } = count(sightings);
          assert.ok(arrivals <= 1 && departures <= arrivals);
          const { arrivedMs, departedMs } = see(sightings);
          assert.ok(departedMs === null || departedMs > (arrivedMs ?? Infinity));
        }
      }),
    );
  });

  it('a random walk between the two borders changes nothing, whatever was before', () => {
    fc.assert(
      fc.property(walks, (steps) => {
        const between = toSightings(steps, 150, [101, 200]);
        assert.deepEqual(count(between), { arrivals: 0, departures: 0 });
        const arrived: Visit = { ...noVisit, arrivedMs: -1 };
        assert.equal(see(between, arrived), arrived);
      }),
    );
  });

  it('a visit whose fixes come in any order is an arrival, and a departure with the next fixes', () => {
    const visited = Array.from({ length: 60 }, (_, index) => ({
      atMs: index * 5000,
      distanceM: index >= 20 && index < 40 ? 30 : 500,
      accuracyM: 5,
    }));
    const next = [400_000, 430_000].map((atMs) => ({ atMs, distanceM: 900, accuracyM: 5 }));
    fc.assert(
      fc.property(fc.shuffledSubarray(visited, { minLength: 60, maxLength: 60 }), (shuffled) => {
        assert.deepEqual(count([...shuffled, ...next]), { arrivals: 1, departures: 1 });
        const { arrivedMs, departedMs } = see([...shuffled, ...next]);
        assert.ok(arrivedMs !== null && arrivedMs >= 100_000 && arrivedMs < 200_000);
        assert.ok(departedMs !== null && departedMs >= 200_000);
      }),
    );
  });

  it('the same visit comes of the same fixes when they come twice', () => {
    fc.assert(
      fc.property(walks, (steps) => {
        const walked = toSightings(steps, 150, [0, 400]);
        const once = see(walked);
        if (once.arrivedMs === null) return;
        assert.equal(see(walked, once).arrivedMs, once.arrivedMs);
      }),
    );
  });
});
