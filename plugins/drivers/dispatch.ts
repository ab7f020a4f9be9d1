import type { Transaction } from '#plugin-api';
import { assignmentRules, fallbackOf } from './assignment.ts';
import {
  assignDriver,
  expireAssignment,
  listCandidates,
  listWaiting,
  lockCandidates,
  lockWaiting,
  markUnavailable,
  type WaitingAssignment,
} from './store/assignments.ts';

export interface AssignJob {
  readonly orderId: string;
  /** Counts the tries of an order's own chain; a try because a driver became free has none and starts no chain. */
  readonly attempt?: number;
}

export type AssignOutcome = 'assigned' | 'unavailable' | 'expired' | 'settled';

/** Gives a waiting order to the nearest driver, or sees to it that it is tried again. */
export async function tryAssign(tx: Transaction, job: AssignJob, now: () => number): Promise<AssignOutcome> {
  const order = await lockWaiting(tx, job.orderId);
  if (order === undefined) return 'settled';
  const driverId = await assignNearest(tx, order);
  if (driverId !== undefined) {
    const { orderId, customerId } = order;
    await tx.events.publish('driver.assigned', { orderId, driverId, customerId });
    return 'assigned';
  }
  return job.attempt === undefined ? 'unavailable' : fallBack(tx, order, { attempt: job.attempt, nowMs: now() });
}

async function assignNearest(tx: Transaction, order: WaitingAssignment): Promise<string | undefined> {
  const { ordersPerDriverMax, positionAgeMaxSeconds, distanceMaxM, candidatesMax } = assignmentRules;
  const candidates = await listCandidates(tx, {
    lat: order.lat,
    lon: order.lon,
    positionAgeMaxSeconds,
    ordersPerDriverMax,
    distanceMaxM,
    limit: candidatesMax,
  });
  if (candidates.length === 0) return undefined;
  const locked = await lockCandidates(
    tx,
    candidates.map((candidate) => candidate.driverId),
  );
  for (const { driverId } of candidates) {
    // Between the search and the lock a driver may have gone off shift or got other orders: both are looked at again.
    if (!locked.has(driverId)) continue;
    if (await assignDriver(tx, { orderId: order.orderId, driverId, ordersPerDriverMax })) return driverId;
  }
  return undefined;
}

async function fallBack(
  tx: Transaction,
  order: WaitingAssignment,
  { attempt, nowMs }: { readonly attempt: number; readonly nowMs: number },
): Promise<AssignOutcome> {
  const { orderId, customerId } = order;
  const fallback = fallbackOf(attempt, Date.parse(order.windowEnd), nowMs);
  if (fallback.kind === 'expire') {
    await expireAssignment(tx, orderId);
    await tx.events.publish('driver.unavailable', { orderId, customerId, final: true });
    return 'expired';
  }
  if (await markUnavailable(tx, orderId)) {
    await tx.events.publish('driver.unavailable', { orderId, customerId, final: false });
  }
  const next = attempt + 1;
  await tx.jobs.send(
    'drivers.assign',
    { orderId, attempt: next },
    { startAfterSeconds: fallback.afterSeconds, singletonKey: `${orderId}:${next}` },
  );
  return 'unavailable';
}

/** A driver has become free: the orders that have waited longest are tried, each in its own job. */
export async function tryWaiting(tx: Transaction): Promise<void> {
  for (const orderId of await listWaiting(tx, assignmentRules.waitingBatchMax)) {
    await tx.jobs.send('drivers.assign', { orderId }, { singletonKey: `${orderId}:now` });
  }
}
