/** The statements that decide who has an order. Each is conditional on what the order is when its turn comes. */
import type { Queryable, Statement } from '#plugin-api';
import { assignmentColumns, type StoredAssignment } from './assignments.ts';

// The one winner: of all who try, this changes the row for the first; the others find it no longer waiting. Who waited for the
// row while the winner was let go again finds it in another round: of the offer, it sees what it saw when it began.
const acceptStatement: Statement = {
  name: 'accept_assignment',
  text: `update driver_assignments a
    set status = 'accepted', driver_id = o.driver_id, assigned_at = clock_timestamp(), sequence = a.sequence + 1,
      version = a.version + 1
    from driver_offers o
    where a.order_id = $1 and a.status = 'waiting'
      and o.offer_id = $2::uuid and o.order_id = a.order_id and o.driver_id = $3 and o.round = a.round
      and o.state = 'open' and o.expires_at > clock_timestamp()
    returning a.customer_id as "customerId", a.attempt, a.sequence,
      extract(epoch from clock_timestamp() - a.waiting_since)::double precision as "waitedSeconds"`,
};

export interface Decided {
  readonly customerId: string | null;
  readonly attempt: number;
  readonly sequence: number;
}

export interface Accepted extends Decided {
  readonly waitedSeconds: number;
}

/** To be called with the driver locked: whoever else gives that driver an order has committed and is counted. */
export async function acceptAssignment(
  db: Queryable,
  offer: { readonly orderId: string; readonly offerId: string; readonly driverId: string },
): Promise<Accepted | undefined> {
  const { rows } = await db.query<Accepted>(acceptStatement, [offer.orderId, offer.offerId, offer.driverId]);
  return rows[0];
}

const assignStatement: Statement = {
  name: 'assign_driver',
  text: `update driver_assignments
    set status = 'assigned', driver_id = $2, assigned_at = clock_timestamp(), sequence = sequence + 1,
      version = version + 1, hold_reason = null
    where order_id = $1 and status in ('waiting', 'held', 'expired')
    returning customer_id as "customerId", attempt, sequence,
      extract(epoch from clock_timestamp() - waiting_since)::double precision as "waitedSeconds"`,
};

/** By hand, whatever was offered. To be called with the driver locked. */
export async function assignDriver(db: Queryable, orderId: string, driverId: string): Promise<Accepted | undefined> {
  const { rows } = await db.query<Accepted>(assignStatement, [orderId, driverId]);
  return rows[0];
}

const unassignStatement: Statement = {
  name: 'unassign_driver',
  text: `update driver_assignments
    set status = $3, driver_id = null, assigned_at = null, sequence = sequence + 1, round = round + 1,
      version = version + 1, waiting_since = clock_timestamp(), unavailable_at = null, tried_at = null,
      hold_reason = $4
    where order_id = $1 and driver_id = $2 and status in ('assigned', 'accepted') and picked_up_at is null
    returning customer_id as "customerId", attempt, sequence, round`,
};

/** Undefined when the driver has not got the order, or has picked it up. To be called with the driver locked. */
export async function unassignDriver(
  db: Queryable,
  unassigned: {
    readonly orderId: string;
    readonly driverId: string;
    readonly to: 'waiting' | 'held';
    readonly holdReason: string | null;
  },
): Promise<(Decided & { readonly round: number }) | undefined> {
  const { orderId, driverId, to, holdReason } = unassigned;
  const { rows } = await db.query<Decided & { round: number }>(unassignStatement, [orderId, driverId, to, holdReason]);
  return rows[0];
}

const holdStatement: Statement = {
  name: 'hold_assignment',
  text: `update driver_assignments set status = 'held', hold_reason = $2, version = version + 1
    where order_id = $1 and status in ('waiting', 'expired')
    returning customer_id as "customerId", attempt, sequence`,
};

export async function holdAssignment(db: Queryable, orderId: string, reason: string): Promise<Decided | undefined> {
  const { rows } = await db.query<Decided>(holdStatement, [orderId, reason]);
  return rows[0];
}

const releaseStatement: Statement = {
  name: 'release_held_assignment',
  text: `update driver_assignments
    set status = 'waiting', hold_reason = null, round = round + 1, version = version + 1,
      waiting_since = clock_timestamp(), unavailable_at = null, tried_at = null
    where order_id = $1 and status in ('held', 'expired')
    returning customer_id as "customerId", attempt, sequence, round`,
};

/** Undefined when it is neither held nor expired. */
export async function releaseHeld(
  db: Queryable,
  orderId: string,
): Promise<(Decided & { readonly round: number }) | undefined> {
  const { rows } = await db.query<Decided & { round: number }>(releaseStatement, [orderId]);
  return rows[0];
}

const lockWaitingStatement: Statement = {
  name: 'lock_waiting_assignment',
  text: `update driver_assignments set tried_at = clock_timestamp()
    where order_id = $1 and status = 'waiting' and round = $2 returning ${assignmentColumns}`,
};

/**
 * Undefined when the order no longer waits, or began to wait anew. Others who want it wait until this transaction ends;
 * who wants drivers as well locks those first.
 */
export async function lockWaiting(
  db: Queryable,
  orderId: string,
  round: number,
): Promise<StoredAssignment | undefined> {
  const { rows } = await db.query<StoredAssignment>(lockWaitingStatement, [orderId, round]);
  return rows[0];
}

const markUnavailableStatement: Statement = {
  name: 'mark_driver_unavailable',
  text: `update driver_assignments set unavailable_at = clock_timestamp(), version = version + 1
    where order_id = $1 and unavailable_at is null`,
};

/** True the first time of an attempt. */
export async function markUnavailable(db: Queryable, orderId: string): Promise<boolean> {
  const { rowCount } = await db.query(markUnavailableStatement, [orderId]);
  return rowCount === 1;
}

const expireStatement: Statement = {
  name: 'expire_assignment',
  text: `update driver_assignments set status = 'expired', version = version + 1
    where order_id = $1 and status = 'waiting'`,
};

export async function expireAssignment(db: Queryable, orderId: string): Promise<void> {
  await db.query(expireStatement, [orderId]);
}

// Of offers, those of other rounds are closed or past their time.
const listUnaskedStatement: Statement = {
  name: 'list_unasked_assignments',
  text: `select a.order_id as "orderId" from driver_assignments a
    where a.status = 'waiting' and $2 > (
      select count(*) from driver_offers o
      where o.order_id = a.order_id and o.state = 'open' and o.expires_at > clock_timestamp())
    order by a.created_at limit $1`,
};

/** The orders that have waited longest and for which fewer drivers are being asked than may be. */
export async function listUnasked(
  db: Queryable,
  { limit, offersAtOnce }: { readonly limit: number; readonly offersAtOnce: number },
): Promise<readonly string[]> {
  const { rows } = await db.query<{ orderId: string }>(listUnaskedStatement, [limit, offersAtOnce]);
  return rows.map((row) => row.orderId);
}
