import type { PluginContext, Transaction } from '#plugin-api';
import { retryDelaySeconds } from './assignment.ts';
import type { FreeDrivers, Picture } from './free-drivers.ts';
import { canBeAsked, makeOffers } from './offering.ts';
import { rank, type RankedDriver } from './ranking.ts';
import type { Settings } from './settings.ts';
import { findAssignment, type StoredAssignment } from './store/assignments.ts';
import { lockDrivers, readFacts } from './store/candidates.ts';
import { expireAssignment, listUnasked, lockWaiting, markUnavailable } from './store/deciding.ts';
import { listPassedOver, timeOutOffers } from './store/offers.ts';
import { sizeOf, toLoad } from './vehicle.ts';

export const assignQueue = 'drivers.assign';

export interface AssignJob {
  readonly orderId: string;
  /** Of the wait that the job belongs to; a later one has jobs of its own. Without it, the one there is. */
  readonly round?: number;
  /** Counts the tries of a wait's own chain; a try because something happened has none and starts no chain. */
  readonly tries?: number;
  /** How often it was tried again at once, since others were faster with the drivers that were found. */
  readonly again?: number;
}

/** `waiting`: others have been asked and may still answer. `settled`: nothing was left to do. */
export type DispatchOutcome = 'assigned' | 'offered' | 'waiting' | 'unavailable' | 'expired' | 'settled';

export interface Dispatched {
  readonly outcome: DispatchOutcome;
  /** Offers made, and those found to have timed out. */
  readonly offered: number;
  readonly timedOut: number;
  /** Of an assignment: how long the order had waited. */
  readonly waitedSeconds?: number;
}

export interface DispatchTools {
  readonly settings: Settings;
  readonly freeDrivers: FreeDrivers;
  /** Wall clock. */
  readonly now: () => number;
  /** A clock that never goes back. */
  readonly monotonicMs: () => number;
  /** Whatever was the reason to try, what is done for an order belongs to its trace. */
  readonly continueTrace: PluginContext['continueTrace'];
}

/** Waiting orders that are tried when a driver becomes free. */
const waitingBatchMax = 50;
/** More than are to be asked: some may be taken by others in the same moment. */
const spareCandidates = 3;
/** Each time others have got on: more than this in a row is no crowd but a shortage. */
const againMax = 5;

const settled: Dispatched = { outcome: 'settled', offered: 0, timedOut: 0 };

/**
 * Asks the best drivers for a waiting order, or sees to it that it is tried again. The order of locks is everybody's: drivers
 * by their ids, then the assignment, then offers. Two nodes that try the same order at once wait for each other at the
 * assignment, and the second finds what the first has offered.
 */
export async function dispatch(tx: Transaction, job: AssignJob, tools: DispatchTools): Promise<Dispatched> {
  const beganAt = tools.monotonicMs();
  const seen = await findAssignment(tx, job.orderId);
  if (seen?.status !== 'waiting' || (job.round !== undefined && job.round !== seen.round)) return settled;
  const candidates = await findCandidates(tx, { order: seen, beganAt }, tools);
  const ids = candidates.map(({ driverId }) => driverId);
  await lockDrivers(tx, ids);
  const order = await lockWaiting(tx, seen.orderId, seen.round);
  if (order === undefined) return settled;
  return tools.continueTrace(order.traceparent, () => ask(tx, { job, order, candidates }, tools));
}

interface Search {
  readonly job: AssignJob;
  /** Locked, as the candidates are. */
  readonly order: StoredAssignment;
  readonly candidates: readonly RankedDriver[];
}

async function ask(tx: Transaction, { job, order, candidates }: Search, tools: DispatchTools): Promise<Dispatched> {
  const timedOut = (await timeOutOffers(tx, order.orderId)).length;
  // Nobody drives to a window that is over; who was asked before may still answer.
  const isOver = order.windowEnd !== null && Date.parse(order.windowEnd) <= tools.now();
  const fit = isOver ? [] : candidates;
  const made = await makeOffers(tx, { order, candidates: fit }, tools.settings);
  if (made.kind === 'assigned') {
    return { outcome: 'assigned', offered: 1, timedOut, waitedSeconds: made.waitedSeconds };
  }
  if (made.first !== undefined) await tryAtTimeOut(tx, order, { firstOfferId: made.first, settings: tools.settings });
  const isAsked = made.offered + made.open > 0;
  const { again = 0 } = job;
  if (!isAsked && fit.length > 0 && again < againMax) {
    // All were taken between the search and the locks. To lock others now would be out of order.
    await tx.jobs.send(assignQueue, { ...job, again: again + 1 });
    return { outcome: 'waiting', offered: 0, timedOut };
  }
  const outcome = isAsked ? (made.offered > 0 ? 'offered' : 'waiting') : await fallBack(tx, order, isOver);
  if (outcome !== 'expired' && job.tries !== undefined) await tryAgain(tx, order, job.tries);
  return { outcome, offered: made.offered, timedOut };
}

/** The best of those who can take it and were not asked; the picture is loaded anew before nobody is found. */
async function findCandidates(
  tx: Transaction,
  { order, beganAt }: { readonly order: StoredAssignment; readonly beganAt: number },
  { settings, freeDrivers }: DispatchTools,
): Promise<readonly RankedDriver[]> {
  const { pickupLat: lat, pickupLon: lon } = order;
  if (lat === null || lon === null) throw new TypeError(`order '${order.orderId}' waits and has no pickup`);
  const passedOver = await listPassedOver(tx, { ...order, reofferSeconds: settings.reofferSeconds });
  const excluded = new Set(passedOver.map(({ driverId }) => driverId));
  const size = sizeOf(order, settings);
  const search = async ({ index }: Picture): Promise<readonly RankedDriver[]> => {
    const near = index.nearest(
      { lat, lon },
      {
        count: settings.candidatesMax,
        distanceMaxM: settings.distanceMaxM,
        isWanted: (driver) => !excluded.has(driver.driverId) && canBeAsked({ ...driver, ...working }, size, settings),
      },
    );
    // Where they are may be a moment old; what they have, and when they were asked, is read anew.
    const facts = await readFacts(
      tx,
      near.map(({ driver }) => driver.driverId),
      settings.parcelVolumeL,
    );
    const fit = near.flatMap(({ driver: { driverId }, distanceM }) => {
      const driver = facts.get(driverId);
      if (driver === undefined || !canBeAsked(driver, size, settings)) return [];
      return [{ driverId, distanceM, idleSeconds: driver.idleSeconds, ...toLoad(driver) }];
    });
    return rank(fit, settings.weights).slice(0, settings.offersAtOnce + spareCandidates);
  };
  const recent = await search(await freeDrivers.recent(tx));
  return recent.length > 0 ? recent : search(await freeDrivers.since(tx, beganAt));
}

/** What all have in common who are in the picture. */
const working = { status: 'approved', onShift: true, onBreak: false } as const;

/** Nobody is asked, and nobody is there to be asked or it is too late. */
async function fallBack(
  tx: Transaction,
  { orderId, customerId, attempt }: StoredAssignment,
  isOver: boolean,
): Promise<'unavailable' | 'expired'> {
  if (isOver) await expireAssignment(tx, orderId);
  if (isOver || (await markUnavailable(tx, orderId))) {
    await tx.events.publish('driver.unavailable', { orderId, customerId, attempt, final: isOver });
  }
  return isOver ? 'expired' : 'unavailable';
}

/** What was offered is looked at when it has timed out; a second more, since a job may come early. */
async function tryAtTimeOut(
  tx: Transaction,
  { orderId, round }: StoredAssignment,
  { firstOfferId, settings }: { readonly firstOfferId: string; readonly settings: Settings },
): Promise<void> {
  const singletonKey = `${orderId}:offer:${firstOfferId}`;
  const startAfterSeconds = settings.offerSeconds + 1;
  await tx.jobs.send(assignQueue, { orderId, round }, { startAfterSeconds, singletonKey });
}

async function tryAgain(tx: Transaction, { orderId, round }: StoredAssignment, tries: number): Promise<void> {
  await sendTry(tx, { orderId, round, tries: tries + 1 }, retryDelaySeconds(tries));
}

/** The chain of tries that begins with an order's wait. */
export async function beginTries(tx: Transaction, orderId: string, round: number): Promise<void> {
  await sendTry(tx, { orderId, round, tries: 0 }, 0);
}

async function sendTry(
  tx: Transaction,
  job: Required<Omit<AssignJob, 'again'>>,
  startAfterSeconds: number,
): Promise<void> {
  const singletonKey = `${job.orderId}:${job.round}:${job.tries}`;
  await tx.jobs.send(assignQueue, job, { singletonKey, ...(startAfterSeconds === 0 ? {} : { startAfterSeconds }) });
}

/**
 * Something happened to this order, or to one who was asked for it.
 *
 * @param cause what it was, where a try that is under way already may not have seen it
 */
export async function tryNow(tx: Transaction, orderId: string, cause = 'now'): Promise<void> {
  await tx.jobs.send(assignQueue, { orderId }, { singletonKey: `${orderId}:${cause}` });
}

/**
 * A driver has become free: the orders that have waited longest are tried, each in its own job. One whose drivers have yet
 * to answer needs none: were they all tried, each order that ends would cost a try of each that waits.
 */
export async function tryWaiting(tx: Transaction, { offersAtOnce }: Pick<Settings, 'offersAtOnce'>): Promise<void> {
  for (const orderId of await listUnasked(tx, { limit: waitingBatchMax, offersAtOnce })) await tryNow(tx, orderId);
}
