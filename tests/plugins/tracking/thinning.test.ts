import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toSegments } from '../../../plugins/tracking/history/segments.ts';
import { thin, thinSegments } from '../../../plugins/tracking/history/thinning.ts';
import type { Trace } from '../../../plugins/tracking/trace.ts';
import { toTrace } from './trace-fixture.ts';

interface Spot {
  readonly lat: number;
  readonly lon: number;
}

const earthM = 6_371_008.8;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Haversine: another way to the same number than the one that is tested. */
function distanceM(a: Spot, b: Spot): number {
  const sinLat = Math.sin(radians(b.lat - a.lat) / 2);
  const sinLon = Math.sin(radians(b.lon - a.lon) / 2);
  const h = sinLat * sinLat + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * sinLon * sinLon;
  return 2 * earthM * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** From a spot to the great circle's stretch between two others, looked for in ever smaller steps. */
function distanceToLineM(spot: Spot, a: Spot, b: Spot): number {
  const vector = ({ lat, lon }: Spot) => [
    Math.cos(radians(lat)) * Math.cos(radians(lon)),
    Math.cos(radians(lat)) * Math.sin(radians(lon)),
    Math.sin(radians(lat)),
  ];
  const [from, to] = [vector(a), vector(b)];
  const at = (share: number): number => {
    const [x = 0, y = 0, z = 0] = from.map((value, axis) => value + share * ((to[axis] ?? 0) - value));
    return distanceM(spot, {
      lat: (Math.atan2(z, Math.hypot(x, y)) * 180) / Math.PI,
      lon: (Math.atan2(y, x) * 180) / Math.PI,
    });
  };
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step += 1) {
    const [left, right] = [low + (high - low) / 3, high - (high - low) / 3];
    if (at(left) < at(right)) high = right;
    else low = left;
  }
  return Math.min(at(low), at(0), at(1));
}

const spotAt = (trace: Trace, row: number): Spot => ({
  lat: (trace.latE7[row] ?? 0) / 1e7,
  lon: (trace.lonE7[row] ?? 0) / 1e7,
});

/** Ends are kept, order is kept, and what was left out lies within the tolerance of the line that is left. */
function assertWithin(trace: Trace, { rows, kept }: { rows: readonly number[]; kept: readonly number[] }, m: number) {
  assert.equal(kept[0], rows[0]);
  assert.equal(kept.at(-1), rows.at(-1));
  assert.deepEqual(
    kept,
    [...new Set(kept)].toSorted((a, b) => a - b),
  );
  let part = 0;
  for (const row of rows) {
    while (part < kept.length - 2 && row > (kept[part + 1] ?? 0)) part += 1;
    const [a, b] = [spotAt(trace, kept[part] ?? 0), spotAt(trace, kept[part + 1] ?? kept[part] ?? 0)];
    const moved = distanceToLineM(spotAt(trace, row), a, b);
    // Sphere and ellipsoid differ by half a percent.
    assert.ok(moved <= m * 1.01 + 0.02, `row ${row} is ${moved} m from the line: ${m} m are allowed`);
  }
}

const wrap = (lon: number): number => ((((lon + 180) % 360) + 360) % 360) - 180;
const begin = fc.constantFrom<Spot>(
  { lat: 48.1, lon: 11.5 },
  { lat: 0, lon: 0.0001 },
  { lat: -16.8, lon: 179.999 },
  { lat: 89.99, lon: 40 },
  { lat: -89.995, lon: -179.9 },
);
const steps = fc.array(
  fc.record({
    north: fc.double({ min: -80, max: 80, noNaN: true }),
    east: fc.double({ min: -80, max: 80, noNaN: true }),
  }),
  {
    minLength: 0,
    maxLength: 120,
  },
);

/** A walk in steps of metres. */
function walk({ lat, lon }: Spot, moves: readonly { readonly north: number; readonly east: number }[]): Spot[] {
  const spots = [{ lat, lon }];
  let here = { lat, lon };
  for (const { north, east } of moves) {
    const nextLat = Math.max(-90, Math.min(90, here.lat + north / 111_195));
    const metresPerDegree = Math.max(1, 111_195 * Math.cos(radians(here.lat)));
    here = { lat: nextLat, lon: wrap(here.lon + east / metresPerDegree) };
    spots.push(here);
  }
  return spots;
}

describe('thin()', () => {
  it('never moves a fix further than the tolerance and keeps the ends, at the antimeridian and near the poles too', () => {
    fc.assert(
      fc.property(begin, steps, fc.constantFrom(0.5, 5, 30, 200), (first, moves, m) => {
        const trace = toTrace(walk(first, moves));
        const rows = Array.from({ length: trace.length }, (_, row) => row);
        assertWithin(trace, { rows, kept: thin(trace, rows, m) }, m);
      }),
      { numRuns: 150, seed: 20_261_123 },
    );
  });

  it('leaves two fixes of a straight line across the antimeridian', () => {
    const trace = toTrace([179.997, 179.998, 179.999, -180, -179.999, -179.998].map((lon) => ({ lat: -16.8, lon })));
    assert.deepEqual(thin(trace, [0, 1, 2, 3, 4, 5], 1), [0, 5]);
  });

  it('keeps the place where somebody turned back', () => {
    const trace = toTrace([0, 1, 2, 3, 2, 1, 0].map((step) => ({ lat: 48 + step / 1000, lon: 11 })));
    assert.deepEqual(thin(trace, [0, 1, 2, 3, 4, 5, 6], 10), [0, 3, 6]);
  });

  it('takes a line that nests as deep as it is long', async () => {
    // Each fix is the farthest of those after it: every step of the recursion splits off one.
    const spots = Array.from({ length: 20_000 }, (_, index) => ({
      lat: 48 + (index % 2) * 0.00001 * (20_000 - index),
      lon: 11 + index * 1e-6,
    }));
    const trace = toTrace(spots);
    const [segment] = await thinSegments(trace, toSegments(trace), 0.5);
    assert.ok((segment?.rows.length ?? 0) > 10_000);
  });

  const file = new URL('../../../../shared/data/munich-car-1hz.csv', import.meta.url);
  it('thins a recorded drive to a part of its fixes', { skip: !existsSync(file) && 'no recorded trace' }, async () => {
    const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
    const spots = lines.map((line) => {
      const [, lat, lon] = line.split(',');
      return { lat: Number(lat), lon: Number(lon) };
    });
    const trace = toTrace(spots);
    const rows = Array.from({ length: trace.length }, (_, row) => row);
    for (const m of [1, 5, 20]) {
      const [segment] = await thinSegments(trace, toSegments(trace), m);
      const kept = segment?.rows ?? [];
      assertWithin(trace, { rows, kept }, m);
      assert.ok(kept.length < rows.length / (m === 1 ? 1.5 : 5), `${kept.length} of ${rows.length} fixes for ${m} m`);
    }
  });
});
