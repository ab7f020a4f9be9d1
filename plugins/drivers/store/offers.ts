import type { Queryable, Statement } from '#plugin-api';
import type { CloseReason, Offer } from '../offer.ts';

const columns = `o.offer_id as "offerId", o.order_id as "orderId", o.driver_id as "driverId", o.attempt, o.state, o.reason,
  o.distance_m as "distanceM", o.created_at as "createdAt", o.expires_at as "expiresAt", o.closed_at as "closedAt",
  case when a.pickup_lat is null then null else json_build_object('lat', a.pickup_lat, 'lon', a.pickup_lon) end as pickup,
  a.window_start as "windowStart", a.window_end as "windowEnd", a.parcels`;

interface OfferRow extends Omit<Offer, 'pickupWindow'> {
  readonly windowStart: string | null;
  readonly windowEnd: string | null;
}

const toOffer = ({ windowStart, windowEnd, ...row }: OfferRow): Offer => ({
  ...row,
  pickupWindow: { start: windowStart, end: windowEnd },
});

const insertOffersStatement: Statement = {
  name: 'insert_offers',
  text: `insert into driver_offers (offer_id, order_id, driver_id, attempt, round, distance_m, expires_at)
    select o.offer_id, $1, o.driver_id, $2, $3, o.distance_m, clock_timestamp() + make_interval(secs => $4)
    from unnest($5::uuid[], $6::text[], $7::double precision[]) as o (offer_id, driver_id, distance_m)
    returning offer_id as "offerId", driver_id as "driverId", expires_at as "expiresAt"`,
};

export interface OffersToInsert {
  readonly orderId: string;
  readonly attempt: number;
  readonly round: number;
  readonly seconds: number;
  readonly to: readonly { readonly offerId: string; readonly driverId: string; readonly distanceM: number }[];
}

export interface InsertedOffer {
  readonly offerId: string;
  readonly driverId: string;
  readonly expiresAt: string;
}

export async function insertOffers(db: Queryable, offers: OffersToInsert): Promise<readonly InsertedOffer[]> {
  const { rows } = await db.query<InsertedOffer>(insertOffersStatement, [
    offers.orderId,
    offers.attempt,
    offers.round,
    offers.seconds,
    offers.to.map(({ offerId }) => offerId),
    offers.to.map(({ driverId }) => driverId),
    offers.to.map(({ distanceM }) => distanceM),
  ]);
  return rows;
}

const findOfferStatement: Statement = {
  name: 'find_offer',
  text: `select ${columns} from driver_offers o join driver_assignments a on a.order_id = o.order_id where o.offer_id = $1::uuid`,
};

export async function findOffer(db: Queryable, offerId: string): Promise<Offer | undefined> {
  const { rows } = await db.query<OfferRow>(findOfferStatement, [offerId]);
  return rows[0] && toOffer(rows[0]);
}

const closeOfferStatement: Statement = {
  name: 'close_offer',
  text: `update driver_offers set state = $2, reason = $3, closed_at = clock_timestamp()
    where offer_id = $1::uuid and state = 'open'`,
};

/** False when it was not open any more. */
export async function closeOffer(
  db: Queryable,
  offerId: string,
  to: { readonly state: 'accepted' | 'declined' | 'withdrawn'; readonly reason: string | null },
): Promise<boolean> {
  const { rowCount } = await db.query(closeOfferStatement, [offerId, to.state, to.reason]);
  return rowCount === 1;
}

export interface ClosedOffer {
  readonly offerId: string;
  readonly orderId: string;
  readonly driverId: string;
}

const closeOffersOfOrderStatement: Statement = {
  name: 'close_offers_of_order',
  text: `update driver_offers set state = $2, reason = $3, closed_at = clock_timestamp()
    where order_id = $1 and state = 'open'
    returning offer_id as "offerId", order_id as "orderId", driver_id as "driverId"`,
};

/** All that are open. To be called with the assignment locked or changed. */
export async function closeOffersOfOrder(
  db: Queryable,
  orderId: string,
  to: { readonly state: 'withdrawn' | 'lost'; readonly reason: CloseReason },
): Promise<readonly ClosedOffer[]> {
  const { rows } = await db.query<ClosedOffer>(closeOffersOfOrderStatement, [orderId, to.state, to.reason]);
  return rows;
}

// Whoever holds the lock of an offer closes it, or lets it time out: waiting for it here could be for each other.
const withdrawOffersOfDriverStatement: Statement = {
  name: 'withdraw_offers_of_driver',
  text: `update driver_offers set state = 'withdrawn', reason = $2, closed_at = clock_timestamp()
    where offer_id in (
      select offer_id from driver_offers where driver_id = $1 and state = 'open' for update skip locked)
    returning offer_id as "offerId", order_id as "orderId", driver_id as "driverId"`,
};

/** To be called with the driver locked. */
export async function withdrawOffersOfDriver(
  db: Queryable,
  driverId: string,
  reason: CloseReason,
): Promise<readonly ClosedOffer[]> {
  const { rows } = await db.query<ClosedOffer>(withdrawOffersOfDriverStatement, [driverId, reason]);
  return rows;
}

const timeOutOffersStatement: Statement = {
  name: 'time_out_offers',
  text: `update driver_offers set state = 'timed_out', closed_at = clock_timestamp()
    where order_id = $1 and state = 'open' and expires_at <= clock_timestamp()
    returning offer_id as "offerId", order_id as "orderId", driver_id as "driverId"`,
};

export async function timeOutOffers(db: Queryable, orderId: string): Promise<readonly ClosedOffer[]> {
  const { rows } = await db.query<ClosedOffer>(timeOutOffersStatement, [orderId]);
  return rows;
}

// Asked now, or not to be asked again: who declined or lost it by word of ops or its own, and for a while who let it pass.
const listPassedOverStatement: Statement = {
  name: 'list_passed_over',
  text: `select driver_id as "driverId", bool_or(state = 'open') as "isOpen" from driver_offers
      where order_id = $1 and attempt = $2 and (state in ('open', 'declined')
        or state = 'withdrawn' and reason = 'withdrawn_by_ops'
        or state = 'timed_out' and closed_at > clock_timestamp() - make_interval(secs => $3))
      group by driver_id
    union all
    select driver_id, false from driver_assignment_steps
      where order_id = $1 and attempt = $2 and step = 'unassigned' and reason in ('gave_back', 'withdrawn', 'reassigned')`,
};

export interface PassedOver {
  readonly driverId: string;
  readonly isOpen: boolean;
}

export async function listPassedOver(
  db: Queryable,
  order: { readonly orderId: string; readonly attempt: number; readonly reofferSeconds: number },
): Promise<readonly PassedOver[]> {
  const { rows } = await db.query<PassedOver>(listPassedOverStatement, [
    order.orderId,
    order.attempt,
    order.reofferSeconds,
  ]);
  return rows;
}

export interface OfferPageFilter {
  readonly before: { readonly createdAt: string; readonly id: string };
  readonly limit: number;
}

const page = `(o.created_at, o.offer_id) < ($2::timestamptz, $3::uuid) order by o.created_at desc, o.offer_id desc limit $4`;
const from = 'driver_offers o join driver_assignments a on a.order_id = o.order_id';

const statements = {
  order: { name: 'list_offers_of_order', text: `select ${columns} from ${from} where o.order_id = $1 and ${page}` },
  driver: { name: 'list_offers_of_driver', text: `select ${columns} from ${from} where o.driver_id = $1 and ${page}` },
} as const satisfies Record<string, Statement>;

/** All offers of an order, or of a driver, the newest first. */
export async function listOffers(
  db: Queryable,
  of: { readonly kind: 'order' | 'driver'; readonly id: string },
  { before, limit }: OfferPageFilter,
): Promise<readonly Offer[]> {
  const { rows } = await db.query<OfferRow>(statements[of.kind], [of.id, before.createdAt, before.id, limit]);
  return rows.map(toOffer);
}

const listOpenOffersStatement: Statement = {
  name: 'list_open_offers',
  text: `select ${columns} from ${from}
    where o.driver_id = $1 and o.state = 'open' and o.expires_at > clock_timestamp() order by o.created_at limit 100`,
};

/** What a driver can accept now. */
export async function listOpenOffers(db: Queryable, driverId: string): Promise<readonly Offer[]> {
  const { rows } = await db.query<OfferRow>(listOpenOffersStatement, [driverId]);
  return rows.map(toOffer);
}
