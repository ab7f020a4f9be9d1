import { distanceM, type Place } from './distance.ts';

export type StopKind = 'pickup' | 'destination';

export interface Stop {
  readonly orderId: string;
  readonly kind: StopKind;
  readonly place: Place;
  /** When the driver is wanted there; null: at any time. */
  readonly startMs: number | null;
  readonly endMs: number | null;
  readonly parcels: number;
}

/** What is left to do of an order: of one that was picked up, its destination; of one whose destination is unknown, its pickup. */
export interface RouteOrder {
  readonly orderId: string;
  readonly parcels: number;
  readonly pickup: Stop | null;
  readonly destination: Stop | null;
}

export interface RouteProblem {
  /** Where the driver is; null: nobody knows, and it begins at the first stop. */
  readonly start: Place | null;
  readonly startMs: number;
  readonly speedMps: number;
  readonly stopSeconds: number;
  /** Parcels that the vehicle holds. */
  readonly capacity: number;
  readonly orders: readonly RouteOrder[];
}

export interface PlannedStop extends Stop {
  readonly arriveMs: number;
  /** After the driver has waited for the window, and the stop is done. */
  readonly leaveMs: number;
  readonly lateSeconds: number;
}

export interface RoutePlan {
  readonly stops: readonly PlannedStop[];
  readonly cost: number;
}

export type OptimiserFailure = 'timeout' | 'unreachable' | 'refused' | 'answer' | 'unassigned';

/** Puts the stops of a problem in order. It knows roads, answers every question and never throws. */
export interface RouteOptimiser {
  readonly name: 'vroom';
  order(
    problem: RouteProblem,
  ): Promise<
    | { readonly kind: 'ordered'; readonly stops: readonly Pick<Stop, 'orderId' | 'kind'>[] }
    | { readonly kind: 'failed'; readonly reason: OptimiserFailure }
  >;
}

/** Roads are longer than the great circle: by 1.4 in cities, as the times of arrival are estimated. */
const detour = 1.4;
/** A second late costs as much as so many seconds on the road. */
const lateWeight = 10;
/** Orders whose best place is looked for; those beyond are appended, so that a plan takes milliseconds. */
const insertedMax = 30;

/** The stops in this order: when the driver is where, and what it costs. */
export function evaluate(problem: RouteProblem, stops: readonly Stop[]): RoutePlan {
  const { startMs, speedMps, stopSeconds } = problem;
  let place = problem.start;
  let atMs = startMs;
  let lateSum = 0;
  const planned = stops.map((stop): PlannedStop => {
    const travelMs = place === null ? 0 : ((distanceM(place, stop.place) * detour) / speedMps) * 1000;
    const arriveMs = atMs + travelMs;
    const lateSeconds = stop.endMs === null ? 0 : Math.max(0, (arriveMs - stop.endMs) / 1000);
    const leaveMs = Math.max(arriveMs, stop.startMs ?? arriveMs) + stopSeconds * 1000;
    place = stop.place;
    atMs = leaveMs;
    lateSum += lateSeconds;
    return { ...stop, arriveMs, leaveMs, lateSeconds };
  });
  return { stops: planned, cost: (atMs - startMs) / 1000 + lateWeight * lateSum };
}

/** What is in the vehicle at the start, and the most that it holds: an order that ops gave by force fits by definition. */
function loadOf({ orders, capacity }: RouteProblem): { readonly onBoard: number; readonly capacity: number } {
  const onBoard = orders.reduce((sum, { pickup, parcels }) => sum + (pickup === null ? parcels : 0), 0);
  const largest = orders.reduce((most, { parcels }) => Math.max(most, parcels), 0);
  return { onBoard, capacity: Math.max(capacity, onBoard, largest, unending(orders)) };
}

/** What is picked up and goes nowhere that is known stays in the vehicle. */
function unending(orders: readonly RouteOrder[]): number {
  const kept = orders.reduce((sum, { destination, parcels }) => sum + (destination === null ? parcels : 0), 0);
  const largest = orders.reduce((most, { parcels }) => Math.max(most, parcels), 0);
  return kept === 0 ? 0 : kept + largest;
}

/** Whether each destination comes after its pickup, and the vehicle is never overfull. */
export function isFeasible(
  problem: RouteProblem,
  stops: readonly Pick<Stop, 'orderId' | 'kind' | 'parcels'>[],
): boolean {
  const { onBoard, capacity } = loadOf(problem);
  const waiting = new Set(problem.orders.filter(({ pickup }) => pickup !== null).map(({ orderId }) => orderId));
  let load = onBoard;
  for (const { orderId, kind, parcels } of stops) {
    if (kind === 'pickup') waiting.delete(orderId);
    else if (waiting.has(orderId)) return false;
    load += kind === 'pickup' ? parcels : -parcels;
    if (load > capacity) return false;
  }
  return true;
}

/** Those on board first, then by the end of the window of the pickup: in that order, appending is always feasible. */
function inOrder(orders: readonly RouteOrder[]): readonly RouteOrder[] {
  const urgency = ({ pickup }: RouteOrder): number => (pickup === null ? -Infinity : (pickup.endMs ?? Infinity));
  return orders.toSorted(
    (left, right) => compare(urgency(left), urgency(right)) || (left.orderId < right.orderId ? -1 : 1),
  );
}

const compare = (left: number, right: number): number => (left === right ? 0 : left < right ? -1 : 1);

const stopsOf = ({ pickup, destination }: RouteOrder): readonly Stop[] =>
  [pickup, destination].filter((stop) => stop !== null);

/** One order after the other: what a plan is never worse than. */
export function appendAll(problem: RouteProblem): RoutePlan {
  return evaluate(problem, inOrder(problem.orders).flatMap(stopsOf));
}

/** Every place for the order's stops among these, the pickup before the destination. */
function* insertions(stops: readonly Stop[], order: RouteOrder): Iterable<readonly Stop[]> {
  const [first, second] = stopsOf(order);
  if (first === undefined) yield stops;
  else yield* placements(stops, first, second);
}

function* placements(stops: readonly Stop[], first: Stop, second: Stop | undefined): Iterable<readonly Stop[]> {
  for (let at = 0; at <= stops.length; at += 1) {
    const withFirst = stops.toSpliced(at, 0, first);
    if (second === undefined) yield withFirst;
    else for (let then = at + 1; then <= withFirst.length; then += 1) yield withFirst.toSpliced(then, 0, second);
  }
}

/**
 * Cheapest insertion: order by order, its stops go where they cost least. It respects precedence and capacity always, and
 * windows as far as that is possible: being late is dear. Never worse than appending.
 */
export function planRoute(problem: RouteProblem): RoutePlan {
  let stops: readonly Stop[] = [];
  for (const [index, order] of inOrder(problem.orders).entries()) {
    const appended = [...stops, ...stopsOf(order)];
    stops = index < insertedMax ? cheapest(problem, insertions(stops, order), appended) : appended;
  }
  const inserted = evaluate(problem, stops);
  const appended = appendAll(problem);
  return inserted.cost <= appended.cost ? inserted : appended;
}

function cheapest(
  problem: RouteProblem,
  candidates: Iterable<readonly Stop[]>,
  otherwise: readonly Stop[],
): readonly Stop[] {
  let best = { stops: otherwise, cost: Infinity };
  for (const stops of candidates) {
    if (!isFeasible(problem, stops)) continue;
    const { cost } = evaluate(problem, stops);
    if (cost < best.cost) best = { stops, cost };
  }
  return best.stops;
}

/** The stops in the order that somebody else says; undefined when it is none that can be driven. */
export function takeOrder(
  problem: RouteProblem,
  order: readonly Pick<Stop, 'orderId' | 'kind'>[],
): RoutePlan | undefined {
  const left = new Map(problem.orders.flatMap(stopsOf).map((stop) => [`${stop.kind} ${stop.orderId}`, stop]));
  const stops: Stop[] = [];
  for (const { kind, orderId } of order) {
    const stop = left.get(`${kind} ${orderId}`);
    if (stop === undefined || !left.delete(`${kind} ${orderId}`)) return undefined;
    stops.push(stop);
  }
  return left.size === 0 && isFeasible(problem, stops) ? evaluate(problem, stops) : undefined;
}
