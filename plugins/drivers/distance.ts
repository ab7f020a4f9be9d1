export interface Place {
  readonly lat: number;
  readonly lon: number;
}

/** Mean radius of the Earth (IUGG). */
const earthRadiusM = 6_371_008.8;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Metres along the great circle, by the haversine formula. */
export function distanceM(from: Place, to: Place): number {
  const half = (a: number, b: number): number => Math.sin(radians(b - a) / 2) ** 2;
  const square =
    half(from.lat, to.lat) + Math.cos(radians(from.lat)) * Math.cos(radians(to.lat)) * half(from.lon, to.lon);
  return 2 * earthRadiusM * Math.asin(Math.min(1, Math.sqrt(square)));
}
