/** What the events of orders change. Each statement is right in whatever order they come, and however late. */
import type { Queryable, Statement } from '#plugin-api';

/** What an event tells of an order; what older publishers do not say has its usual value. */
export interface OrderFacts {
  readonly orderId: string;
  readonly customerId: string;
  readonly partnerId: string | null;
  readonly attempt: number;
  readonly pickup: { readonly lat: number; readonly lon: number };
  readonly windowStart: string | null;
  readonly windowEnd: string;
  readonly destination: { readonly lat: number; readonly lon: number } | null;
  readonly parcels: number;
  readonly volumeL: number | null;
}

const factColumns = `order_id, customer_id, partner_id, attempt, pickup_lat, pickup_lon, window_start, window_end,
  destination_lat, destination_lon, parcels, volume_l`;
const factValues = '$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12';
const takeFacts = `customer_id = excluded.customer_id, partner_id = excluded.partner_id, attempt = excluded.attempt,
  pickup_lat = excluded.pickup_lat, pickup_lon = excluded.pickup_lon, window_start = excluded.window_start,
  window_end = excluded.window_end, destination_lat = excluded.destination_lat,
  destination_lon = excluded.destination_lon, parcels = excluded.parcels, volume_l = excluded.volume_l`;

const toValues = (order: OrderFacts): (string | number | null)[] => [
  order.orderId,
  order.customerId,
  order.partnerId,
  order.attempt,
  order.pickup.lat,
  order.pickup.lon,
  order.windowStart,
  order.windowEnd,
  order.destination?.lat ?? null,
  order.destination?.lon ?? null,
  order.parcels,
  order.volumeL,
];

// An attempt that is known, or older than the known one, is over or under way: only a later one begins to wait.
const scheduleStatement: Statement = {
  name: 'schedule_assignment',
  text: `insert into driver_assignments (${factColumns}, status, waiting_since, traceparent)
    values (${factValues}, 'waiting', clock_timestamp(), $13)
    on conflict (order_id) do update set ${takeFacts},
      status = case when driver_assignments.status = 'held' then 'held' else 'waiting' end, driver_id = null,
      sequence = driver_assignments.sequence + 1, round = driver_assignments.round + 1,
      version = driver_assignments.version + 1, waiting_since = clock_timestamp(), unavailable_at = null,
      tried_at = null, assigned_at = null, picked_up_at = null, silence_told_at = null
      where driver_assignments.status <> 'ended' and driver_assignments.attempt < excluded.attempt
    returning status, round, driver_assignments.xmax = 0 as "isNew"`,
};

export interface Scheduled {
  readonly status: 'waiting' | 'held';
  readonly round: number;
  /** Nobody else can have seen the order: it was heard of for the first time. */
  readonly isNew: boolean;
}

/** Undefined when the attempt is known already, or the order is over. */
export async function scheduleAssignment(
  db: Queryable,
  order: OrderFacts,
  traceparent: string | null,
): Promise<Scheduled | undefined> {
  const { rows } = await db.query<Scheduled>(scheduleStatement, [...toValues(order), traceparent]);
  return rows[0];
}

const lockForEventStatement: Statement = {
  name: 'lock_assignment_for_event',
  text: `select status, driver_id as "driverId", attempt, sequence from driver_assignments where order_id = $1 for update`,
};

export interface Before {
  readonly status: string;
  readonly driverId: string | null;
  readonly attempt: number;
  readonly sequence: number;
}

/** What the assignment is before an event; others who want to change it wait until this transaction ends. */
export async function lockForEvent(db: Queryable, orderId: string): Promise<Before | undefined> {
  const { rows } = await db.query<Before>(lockForEventStatement, [orderId]);
  return rows[0];
}

// Who has the parcels has the order: nothing that was decided here meanwhile counts against that.
const pickUpStatement: Statement = {
  name: 'pick_up_assignment',
  text: `insert into driver_assignments (${factColumns}, status, driver_id, sequence, assigned_at, picked_up_at)
    values (${factValues}, 'accepted', $13, 1, clock_timestamp(), clock_timestamp())
    on conflict (order_id) do update set ${takeFacts},
      sequence = driver_assignments.sequence
        + case when driver_assignments.driver_id is not distinct from excluded.driver_id then 0 else 1 end,
      status = case when driver_assignments.driver_id is not distinct from excluded.driver_id
        then driver_assignments.status else 'accepted' end,
      driver_id = excluded.driver_id,
      assigned_at = coalesce(driver_assignments.assigned_at, clock_timestamp()),
      picked_up_at = clock_timestamp(), version = driver_assignments.version + 1, silence_told_at = null
      where driver_assignments.status <> 'ended' and driver_assignments.attempt <= excluded.attempt
        and (driver_assignments.picked_up_at is null or driver_assignments.driver_id is distinct from excluded.driver_id)
    returning sequence`,
};

/** The sequence after it; undefined when nothing changed: it is known, or the order is over. */
export async function pickUpAssignment(
  db: Queryable,
  order: OrderFacts & { readonly driverId: string },
): Promise<number | undefined> {
  const { rows } = await db.query<{ sequence: number }>(pickUpStatement, [...toValues(order), order.driverId]);
  return rows[0]?.sequence;
}

const failStatement: Statement = {
  name: 'fail_assignment',
  text: `insert into driver_assignments (order_id, customer_id, attempt, status) values ($1, $2, $3, 'failed')
    on conflict (order_id) do update set status = 'failed', driver_id = null, attempt = excluded.attempt,
      sequence = driver_assignments.sequence + 1, version = driver_assignments.version + 1, picked_up_at = null
      where driver_assignments.status <> 'ended'
        and (driver_assignments.attempt < excluded.attempt
          or driver_assignments.attempt = excluded.attempt and driver_assignments.status <> 'failed')
    returning sequence`,
};

export interface EventOrder {
  readonly orderId: string;
  readonly customerId: string | null;
  readonly attempt: number;
}

/** The sequence after it; undefined when a later attempt is known, or the order is over. */
export async function failAssignment(db: Queryable, order: EventOrder): Promise<number | undefined> {
  const { rows } = await db.query<{ sequence: number }>(failStatement, [
    order.orderId,
    order.customerId,
    order.attempt,
  ]);
  return rows[0]?.sequence;
}

const endStatement: Statement = {
  name: 'end_assignment',
  text: `insert into driver_assignments (order_id, customer_id, attempt, status, ended_at)
    values ($1, $2, $3, 'ended', clock_timestamp())
    on conflict (order_id) do update set status = 'ended', ended_at = clock_timestamp(),
      sequence = driver_assignments.sequence + 1, version = driver_assignments.version + 1
      where driver_assignments.status <> 'ended'
    returning sequence`,
};

/** The sequence after it; undefined when it was over. An unknown order is recorded as over: events may overtake. */
export async function endAssignment(db: Queryable, order: EventOrder): Promise<number | undefined> {
  const { rows } = await db.query<{ sequence: number }>(endStatement, [order.orderId, order.customerId, order.attempt]);
  return rows[0]?.sequence;
}
