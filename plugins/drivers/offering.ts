import { randomUUIDv7 } from 'node:crypto';
import type { Transaction } from '#plugin-api';
import { acceptOffer, whyNotAvailable, type AcceptOutcome } from './accepting.ts';
import { pushOffers } from './pushing.ts';
import { hasRoom, type RankedDriver, type Size } from './ranking.ts';
import type { Settings } from './settings.ts';
import type { StoredAssignment } from './store/assignments.ts';
import { markOffered, readFacts, type DriverFacts } from './store/candidates.ts';
import { insertOffers, listPassedOver, type InsertedOffer } from './store/offers.ts';
import { sizeOf, toLoad } from './vehicle.ts';

export type Made =
  /** `open` were there before; `first` is the first of those made now. */
  | { readonly kind: 'offered'; readonly offered: number; readonly open: number; readonly first?: string }
  | { readonly kind: 'assigned'; readonly waitedSeconds: number };

export interface OfferRequest {
  readonly order: StoredAssignment;
  /** The best first; locked. */
  readonly candidates: readonly RankedDriver[];
}

/** Whether a driver may be asked for something of this size, as it is now. */
export function canBeAsked(
  driver: DriverFacts,
  size: Size,
  { ordersMax, openOffersMax }: Pick<Settings, 'ordersMax' | 'openOffersMax'>,
): boolean {
  return (
    whyNotAvailable(driver) === undefined &&
    driver.openOffers < openOffersMax &&
    hasRoom(toLoad(driver), size, ordersMax)
  );
}

/** Offers an order to as many as may be asked at once. To be called with the candidates and the assignment locked. */
export async function makeOffers(tx: Transaction, request: OfferRequest, settings: Settings): Promise<Made> {
  const { order, candidates } = request;
  const passedOver = await listPassedOver(tx, { ...order, reofferSeconds: settings.reofferSeconds });
  const open = passedOver.filter(({ isOpen }) => isOpen).length;
  const room = Math.max(0, settings.offersAtOnce - open);
  const excluded = new Set(passedOver.map(({ driverId }) => driverId));
  const left = candidates.filter(({ driverId }) => !excluded.has(driverId));
  if (room === 0 || left.length === 0) return { kind: 'offered', offered: 0, open };
  const { asked, isAuto } = choose(left, await readFacts(tx, toIds(left), settings.parcelVolumeL), {
    order,
    room,
    settings,
  });
  if (asked.length === 0) return { kind: 'offered', offered: 0, open };
  const made = await insert(tx, { order, asked, settings });
  const [first] = made;
  if (first === undefined) throw new Error(`Cannot offer order '${order.orderId}': no offer was written`);
  if (isAuto) {
    return { kind: 'assigned', waitedSeconds: won(await acceptOffer(tx, first, settings), first.offerId) };
  }
  for (const { offerId, driverId, expiresAt } of made) {
    await tx.events.publish('driver.offered', { orderId: order.orderId, driverId, offerId, expiresAt });
  }
  await pushOffers(tx, made);
  return { kind: 'offered', offered: made.length, open, first: first.offerId };
}

const toIds = (drivers: readonly { readonly driverId: string }[]): readonly string[] =>
  drivers.map(({ driverId }) => driverId);

/**
 * Between the search and the locks a driver may have gone off shift or taken other orders: all of it is looked at again. Who
 * accepts by itself is asked alone, when those before it have had their turn: it would leave them no time.
 */
function choose(
  candidates: readonly RankedDriver[],
  facts: ReadonlyMap<string, DriverFacts>,
  { order, room, settings }: { readonly order: StoredAssignment; readonly room: number; readonly settings: Settings },
): { readonly asked: readonly RankedDriver[]; readonly isAuto: boolean } {
  const size = sizeOf(order, settings);
  const fit = candidates.filter(({ driverId }) => {
    const driver = facts.get(driverId);
    return driver !== undefined && canBeAsked(driver, size, settings);
  });
  const firstAuto = fit.findIndex(({ driverId }) => facts.get(driverId)?.autoAccept === true);
  if (firstAuto === 0) return { asked: fit.slice(0, 1), isAuto: true };
  return { asked: fit.slice(0, firstAuto < 0 ? room : Math.min(room, firstAuto)), isAuto: false };
}

async function insert(
  tx: Transaction,
  {
    order,
    asked,
    settings,
  }: { readonly order: StoredAssignment; readonly asked: readonly RankedDriver[]; readonly settings: Settings },
): Promise<readonly InsertedOffer[]> {
  const { orderId, attempt, round } = order;
  const to = asked.map(({ driverId, distanceM }) => ({ offerId: randomUUIDv7(), driverId, distanceM }));
  const made = await insertOffers(tx, { orderId, attempt, round, seconds: settings.offerSeconds, to });
  await markOffered(tx, toIds(asked));
  return made;
}

/** Driver and order are locked and were looked at: an offer that was made just now cannot be too late. */
function won(outcome: AcceptOutcome, offerId: string): number {
  if (outcome.kind === 'won') return outcome.accepted.waitedSeconds;
  throw new Error(`Cannot accept offer '${offerId}' for its driver: it is ${JSON.stringify(outcome)}`);
}
