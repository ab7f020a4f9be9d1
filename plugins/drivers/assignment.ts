/** waiting -> assigned -> ended, waiting -> expired. An order has one assignment for ever, so never two drivers. */
export type AssignmentStatus = 'waiting' | 'assigned' | 'ended' | 'expired';

/** Who is considered for an order. */
export const assignmentRules = {
  /** An older position says too little of where the driver is. */
  positionAgeMaxSeconds: 300,
  /** Orders that one driver carries or goes for at the same time. */
  ordersPerDriverMax: 5,
  distanceMaxM: 100_000,
  /** Nearest drivers looked at for one order: more than could be taken by others in the same moment. */
  candidatesMax: 10,
  /** Waiting orders tried when a driver becomes free. */
  waitingBatchMax: 50,
} as const;

const firstRetrySeconds = 5;
const longestRetrySeconds = 60;

/** Seconds until an order without a driver is tried again: 5, 10, 20, 40, then 60. */
export function retryDelaySeconds(attempt: number): number {
  return Math.min(firstRetrySeconds * 2 ** Math.min(attempt, 10), longestRetrySeconds);
}

export type Fallback = { readonly kind: 'retry'; readonly afterSeconds: number } | { readonly kind: 'expire' };

/** What becomes of an order that found no driver: tried again until its pickup window is over. */
export function fallbackOf(attempt: number, windowEndMs: number, nowMs: number): Fallback {
  return windowEndMs <= nowMs ? { kind: 'expire' } : { kind: 'retry', afterSeconds: retryDelaySeconds(attempt) };
}

/**
 * A place that Postgres can compute a distance from: its arithmetic refuses what underflows, such as the square of
 * 1e-300. A tenth of a millimetre from the equator or the meridian is on it.
 */
export function toPlace({ lat, lon }: { readonly lat: number; readonly lon: number }): {
  readonly lat: number;
  readonly lon: number;
} {
  const flush = (degrees: number): number => (Math.abs(degrees) < 1e-9 ? 0 : degrees);
  return { lat: flush(lat), lon: flush(lon) };
}
