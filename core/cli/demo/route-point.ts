/** A point of a route that a demo driver follows. */
export interface RoutePoint {
  readonly lat: number;
  readonly lon: number;
  /** Milliseconds since the start of the route. */
  readonly offsetMs: number;
}

const earthRadiusM = 6_371_000;

/** Great-circle distance in metres (haversine). */
export function distanceM(from: Pick<RoutePoint, 'lat' | 'lon'>, to: Pick<RoutePoint, 'lat' | 'lon'>): number {
  const toRadians = (degrees: number): number => (degrees * Math.PI) / 180;
  const dLat = toRadians(to.lat - from.lat);
  const dLon = toRadians(to.lon - from.lon);
  const a =
    Math.sin(dLat / 2) ** 2 + Math.cos(toRadians(from.lat)) * Math.cos(toRadians(to.lat)) * Math.sin(dLon / 2) ** 2;
  return 2 * earthRadiusM * Math.asin(Math.sqrt(a));
}

/** Where the route is at an offset, between the two points around it. */
export function positionAt(route: readonly RoutePoint[], offsetMs: number): Pick<RoutePoint, 'lat' | 'lon'> {
  const next = route.findIndex((point) => point.offsetMs >= offsetMs);
  const after = next < 0 ? route.at(-1) : route[next];
  const before = route[next - 1] ?? after;
  if (before === undefined || after === undefined) throw new RangeError('A route must have a point: it has none');
  const spanMs = after.offsetMs - before.offsetMs;
  const share = spanMs === 0 ? 0 : Math.min(1, (offsetMs - before.offsetMs) / spanMs);
  return { lat: before.lat + (after.lat - before.lat) * share, lon: before.lon + (after.lon - before.lon) * share };
}

/** The same way back, in the same time. */
export function reverseRoute(route: readonly RoutePoint[]): readonly RoutePoint[] {
  const endMs = route.at(-1)?.offsetMs ?? 0;
  return route.toReversed().map((point) => ({ ...point, offsetMs: endMs - point.offsetMs }));
}
