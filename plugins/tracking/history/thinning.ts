import type { Trace } from '../trace.ts';
import type { Segment } from './segments.ts';

/**
 * Ramer, Douglas and Peucker take the square of the length at worst, and anybody's phone can send that worst case. A
 * window of this many fixes costs half a million distances at most; both its ends are kept, one fix in a thousand.
 */
const windowRows = 1000;

/**
 * Leaves out what lies within so many metres of the line through what is kept. The first and the last fix of each segment
 * are kept. It thins the shape: of a driver who waits nothing is left but the line past the place.
 */
export async function thinSegments(
  trace: Trace,
  segments: readonly Segment[],
  toleranceM: number,
): Promise<readonly Segment[]> {
  const thinned: Segment[] = [];
  for (const { device, rows } of segments) {
    const kept = rows.slice(0, 1);
    for (let start = 0; start < rows.length - 1; start += windowRows) {
      for (const row of thin(trace, rows.slice(start, start + windowRows + 1), toleranceM).slice(1)) kept.push(row);
      // The thread is given to others in between: GPS comes in on it as well.
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    thinned.push({ device, rows: kept });
  }
  return thinned;
}

/** Of these rows those that are kept, the ends among them. A stack of its own: a line may nest deeper than calls can. */
export function thin(trace: Trace, rows: readonly number[], toleranceM: number): readonly number[] {
  if (rows.length < 3) return rows;
  const places = new Float64Array(3 * rows.length);
  for (const [index, row] of rows.entries()) {
    places.set(toPlace((trace.latE7[row] ?? 0) / 1e7, (trace.lonE7[row] ?? 0) / 1e7), 3 * index);
  }
  const isKept = new Uint8Array(rows.length);
  isKept[0] = 1;
  isKept[rows.length - 1] = 1;
  const stack: (readonly [number, number])[] = [[0, rows.length - 1]];
  for (let range = stack.pop(); range !== undefined; range = stack.pop()) {
    const [first, last] = range;
    const farthest = findFarthest(places, first, last);
    if (farthest.squaredM <= toleranceM * toleranceM) continue;
    isKept[farthest.index] = 1;
    stack.push([first, farthest.index], [farthest.index, last]);
  }
  return rows.filter((_row, index) => isKept[index] === 1);
}

export type Place = readonly [x: number, y: number, z: number];

const equatorM = 6_378_137;
const eccentricitySquared = 0.006_694_379_990_14;

/**
 * Metres from the middle of the earth (WGS 84 ellipsoid, height 0). Unlike a projection this knows no antimeridian and no
 * pole, and a degree of longitude is as long as it is at its latitude. A chord lies under the ground it spans, by 2 m
 * for 10 km: what that costs is a fix more that is kept.
 */
export function toPlace(lat: number, lon: number): Place {
  const phi = (lat * Math.PI) / 180;
  const lambda = (lon * Math.PI) / 180;
  const sin = Math.sin(phi);
  const normalM = equatorM / Math.sqrt(1 - eccentricitySquared * sin * sin);
  const fromAxisM = normalM * Math.cos(phi);
  return [fromAxisM * Math.cos(lambda), fromAxisM * Math.sin(lambda), normalM * (1 - eccentricitySquared) * sin];
}

/** Of the places between two of them the one farthest from the stretch between those. */
function findFarthest(
  places: Float64Array,
  first: number,
  last: number,
): { readonly index: number; readonly squaredM: number } {
  const ax = places[3 * first] ?? 0;
  const ay = places[3 * first + 1] ?? 0;
  const az = places[3 * first + 2] ?? 0;
  const dx = (places[3 * last] ?? 0) - ax;
  const dy = (places[3 * last + 1] ?? 0) - ay;
  const dz = (places[3 * last + 2] ?? 0) - az;
  const squaredLength = dx * dx + dy * dy + dz * dz;
  let index = first;
  let squaredM = -1;
  for (let between = first + 1; between < last; between += 1) {
    const px = (places[3 * between] ?? 0) - ax;
    const py = (places[3 * between + 1] ?? 0) - ay;
    const pz = (places[3 * between + 2] ?? 0) - az;
    // Not to the line beyond its ends: who turns back has gone further.
    const share = squaredLength === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy + pz * dz) / squaredLength));
    const ex = px - share * dx;
    const ey = py - share * dy;
    const ez = pz - share * dz;
    const squared = ex * ex + ey * ey + ez * ez;
    if (squared > squaredM) {
      squaredM = squared;
      index = between;
    }
  }
  return { index, squaredM };
}
