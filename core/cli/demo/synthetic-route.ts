import type { RoutePoint } from './route-point.ts';

export interface SyntheticRouteOptions {
  /** Where the city's middle is. @default Manhattan */
  readonly center?: { readonly lat: number; readonly lon: number };
  /** Streets crossed. @default 12 */
  readonly blocks?: number;
  /** Numbers from 0 to below 1. */
  readonly random: () => number;
}

const blockM = 110;
const metresPerDegree = 111_320;
/** City traffic. */
const speedMps = 9;
const secondMs = 1000;

/** A drive along a grid of streets, one point a second: north or east at each corner, as it falls. */
export function createSyntheticRoute(options: SyntheticRouteOptions): readonly RoutePoint[] {
  const { center = { lat: 40.7527, lon: -73.9772 }, blocks = 12, random } = options;
  const points: RoutePoint[] = [];
  let lat = center.lat + (random() - 0.5) * 0.02;
  let lon = center.lon + (random() - 0.5) * 0.02;
  const stepsPerBlock = Math.ceil(blockM / speedMps);
  const stepDegrees = blockM / stepsPerBlock / metresPerDegree;
  for (let block = 0; block < blocks; block += 1) {
    const north = random() < 0.5;
    for (let step = 0; step < stepsPerBlock; step += 1) {
      points.push({ lat, lon, offsetMs: points.length * secondMs });
      if (north) lat += stepDegrees;
      else lon += stepDegrees / Math.cos((lat * Math.PI) / 180);
    }
  }
  return points;
}
