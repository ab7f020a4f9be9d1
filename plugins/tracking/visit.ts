/** A driver's visit at a stop of an order, as far as it is known. Times in ms since the epoch. */
export interface Visit {
  /** The first fix of a stay that is not long enough yet to count. */
  readonly insideMs: number | null;
  readonly arrivedMs: number | null;
  /** The first fix outside after that stay, or after the arrival: a departure that is not confirmed yet. */
  readonly outsideMs: number | null;
  readonly departedMs: number | null;
}

export const noVisit: Visit = { insideMs: null, arrivedMs: null, outsideMs: null, departedMs: null };

/** Where a driver was seen, from the stop. */
export interface Sighting {
  readonly atMs: number;
  readonly distanceM: number;
  /** Null when the device does not know. */
  readonly accuracyM: number | null;
}

export interface VisitRules {
  /** Who is surely nearer is inside. */
  readonly arriveM: number;
  /** Who is surely further away is outside; larger than `arriveM`, so that a border is not crossed back and forth. */
  readonly departM: number;
  /** How far apart the fixes must be that confirm each other: who drives past does not arrive. */
  readonly dwellMs: number;
}

/** Fixes of one stay are at most this far apart: what happened in a longer silence is unknown. */
const silenceMaxMs = 10 * 60_000;
/** Of a device that does not know its accuracy. */
const accuracyUnknownM = 20;

/**
 * What a sighting adds to a visit. A visit has one arrival and one departure. Both need two sightings at least `dwellMs`
 * apart with none between them that says otherwise, as far as it is known by then. Times are those of the fixes, so the
 * order in which they come hardly matters: a late one confirms what is waiting, a repeated one adds nothing.
 */
export function observe(visit: Visit, sighting: Sighting, rules: VisitRules): Visit {
  const { atMs, distanceM } = sighting;
  const accuracyM = sighting.accuracyM ?? accuracyUnknownM;
  const inside = distanceM + accuracyM <= rules.arriveM;
  const outside = distanceM - accuracyM > rules.departM;
  if (inside === outside || visit.departedMs !== null) return visit;
  if (visit.arrivedMs === null) return inside ? stay(visit, atMs, rules) : endStay(visit, atMs);
  if (atMs <= visit.arrivedMs) return visit;
  return outside ? leave(visit, atMs, rules) : comeBack(visit, atMs);
}

function stay(visit: Visit, atMs: number, { dwellMs }: VisitRules): Visit {
  const { insideMs, outsideMs } = visit;
  const apartMs = insideMs === null ? 0 : Math.abs(atMs - insideMs);
  const isOther = insideMs === null || apartMs > silenceMaxMs || (outsideMs !== null && atMs > outsideMs);
  if (isOther) return insideMs === null || atMs > insideMs ? { ...visit, insideMs: atMs, outsideMs: null } : visit;
  const firstMs = Math.min(atMs, insideMs);
  if (apartMs >= dwellMs) return { ...visit, insideMs: null, arrivedMs: firstMs };
  return firstMs === insideMs ? visit : { ...visit, insideMs: firstMs };
}

/** Where a stay ends that is not confirmed yet. A fix of it that comes late still lies before, and confirms it. */
function endStay(visit: Visit, atMs: number): Visit {
  const { insideMs, outsideMs } = visit;
  const isFirst = insideMs !== null && atMs > insideMs && (outsideMs === null || atMs < outsideMs);
  return isFirst ? { ...visit, outsideMs: atMs } : visit;
}

function leave(visit: Visit, atMs: number, { dwellMs }: VisitRules): Visit {
  const { outsideMs } = visit;
  if (outsideMs === null) return { ...visit, outsideMs: atMs };
  const firstMs = Math.min(atMs, outsideMs);
  if (Math.abs(atMs - outsideMs) >= dwellMs) return { ...visit, outsideMs: null, departedMs: firstMs };
  return firstMs === outsideMs ? visit : { ...visit, outsideMs: firstMs };
}

/** A departure that was waiting to be confirmed was none when the driver is inside later. */
function comeBack(visit: Visit, atMs: number): Visit {
  return visit.outsideMs !== null && atMs > visit.outsideMs ? { ...visit, outsideMs: null } : visit;
}
