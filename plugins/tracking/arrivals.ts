import type { PluginContext, Transaction } from '#plugin-api';
import { distanceM } from './distance.ts';
import type { Fix } from './fix.ts';
import { listStops, lockVisits, updateVisit, type Stop, type StopKey } from './store/stops.ts';
import { observe, type Visit, type VisitRules } from './visit.ts';

export interface ObserveOptions {
  readonly rules: VisitRules;
  /** Those of the drivers who carry an order or have yet to leave a stop: all others have none. */
  readonly carriers: readonly string[];
}

/**
 * Compares fixes with the stops of the orders that their drivers carry, and says of each arrival and departure once. The
 * fixes are stored by then. A throw leaves their batch unacknowledged: it comes again, and what was said by then is not
 * said again, since the visit is written in the transaction of the event.
 */
export async function observeStops(
  ctx: PluginContext,
  fixes: readonly Fix[],
  { rules, carriers: carrying }: ObserveOptions,
): Promise<void> {
  const byDriver = Map.groupBy(fixes.filter(isEvidence), ({ driverId }) => driverId);
  if (byDriver.size === 0) return;
  const see = (stop: Stop, visit: Visit): Visit => observeAll({ ...stop, visit }, byDriver.get(stop.driverId), rules);
  const carriers = carrying.filter((driverId) => byDriver.has(driverId));
  if (carriers.length === 0) return;
  const stops = await findStops(ctx, carriers);
  // Nearly always nothing changes, and then nothing is locked.
  const changing = stops.filter((stop) => see(stop, stop.visit) !== stop.visit);
  if (changing.length === 0) return;
  const told = await ctx.db.transaction((tx) => changeVisits(tx, changing, see));
  for (const { event, stop } of told) ctx.metrics.increment('returnit_tracking_stops_total', { event, stop });
}

/** Who may not ask the orders has no stops: what is missing is a grant, and no fix must wait for that. */
async function findStops(ctx: PluginContext, driverIds: readonly string[]): Promise<readonly Stop[]> {
  try {
    return await listStops(ctx.db, driverIds);
  } catch (error) {
    if (!isNotOurs(error)) throw error;
    ctx.metrics.increment('returnit_tracking_stops_unchecked_total', {}, driverIds.length);
    return [];
  }
}

/** SQLSTATE: insufficient privilege, undefined table, invalid schema name. */
function isNotOurs(error: unknown): boolean {
  const { details } = error as { readonly details?: { readonly sqlstate?: unknown } };
  return ['42501', '42P01', '3F000'].includes(String(details?.sqlstate));
}

interface Told {
  readonly event: 'arrived' | 'departed';
  readonly stop: StopKey['stop'];
}

async function changeVisits(
  tx: Transaction,
  stops: readonly Stop[],
  see: (stop: Stop, visit: Visit) => Visit,
): Promise<readonly Told[]> {
  const locked = new Map((await lockVisits(tx, stops)).map((row) => [toKey(row), row.visit]));
  const told: Told[] = [];
  for (const stop of stops) {
    const before = locked.get(toKey(stop));
    if (before === undefined) continue;
    const after = see(stop, before);
    if (after === before) continue;
    await updateVisit(tx, stop, after);
    const { orderId, driverId } = stop;
    for (const event of ['arrived', 'departed'] as const) {
      const atMs = after[`${event}Ms`];
      if (atMs === null || before[`${event}Ms`] !== null) continue;
      await tx.events.publish(`driver.${event}`, {
        orderId,
        driverId,
        stop: stop.stop,
        at: new Date(atMs).toISOString(),
      });
      told.push({ event, stop: stop.stop });
    }
  }
  return told;
}

const toKey = ({ orderId, stop }: StopKey): string => `${orderId} ${stop}`;

/** What is doubted is kept in the history and proves nothing. */
const isEvidence = ({ flags }: Fix): boolean => flags.length === 0;

function observeAll(stop: Stop, fixes: readonly Fix[] = [], rules: VisitRules): Visit {
  return fixes
    .map((fix) => ({ atMs: Date.parse(fix.recordedAt), fix }))
    .filter(({ atMs }) => atMs >= stop.sinceMs)
    .toSorted((a, b) => a.atMs - b.atMs)
    .reduce(
      (visit, { atMs, fix }) =>
        observe(visit, { atMs, distanceM: distanceM(fix, stop), accuracyM: fix.accuracyM }, rules),
      stop.visit,
    );
}
