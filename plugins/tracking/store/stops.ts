import type { Queryable, Statement } from '#plugin-api';
import type { Visit } from '../visit.ts';

export type StopKind = 'pickup' | 'destination';

export interface StopKey {
  readonly orderId: string;
  readonly stop: StopKind;
}

/** A stop that a driver's fixes are compared with, and what is known of the visit. */
export interface Stop extends StopKey {
  readonly driverId: string;
  readonly lat: number;
  readonly lon: number;
  /** Fixes before this have nothing to do with the order. */
  readonly sinceMs: number;
  readonly visit: Visit;
}

interface StopRow extends StopKey, VisitTimes {
  readonly driverId: string;
  readonly lat: number;
  readonly lon: number;
  readonly since: string;
}

interface VisitTimes {
  readonly insideAt: string | null;
  readonly arrivedAt: string | null;
  readonly outsideAt: string | null;
  readonly departedAt: string | null;
}

const visitColumns = `v.inside_at as "insideAt", v.arrived_at as "arrivedAt", v.outside_at as "outsideAt",
  v.departed_at as "departedAt"`;

// The second part: who completed an order has yet to leave. An id that is none of the orders' must not end the statement.
// The list of ids says what the join says already: into a view that is a security barrier a condition of the join does not
// get, so that every stop there is was read first; a list does.
const listStopsStatement: Statement = {
  name: 'list_stops_of_drivers',
  text: `with t as materialized (
      select order_id, stop, driver_id, since,
        case when order_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then order_id::uuid end as id
      from (
        select order_id, null as stop, driver_id, updated_at as since from tracked_orders
        where driver_id = any($1::text[]) and status = 'active'
        union all
        select v.order_id, v.stop, v.driver_id, v.arrived_at from stop_visits v
        join tracked_orders o on o.order_id = v.order_id and o.status = 'closed'
        where v.driver_id = any($1::text[]) and v.arrived_at is not null and v.departed_at is null
      ) followed
    )
    select t.order_id as "orderId", s.stop, t.driver_id as "driverId", s.lat, s.lon,
      greatest(t.since, s.since) as since, ${visitColumns}
    from t join orders.order_stops s on s.order_id = t.id and s.stop = coalesce(t.stop, s.stop)
    left join stop_visits v on v.order_id = t.order_id and v.stop = s.stop
    where s.order_id = any(array(select id from t)) and v.departed_at is null`,
};

/** The stops that these drivers are on their way to, at, or about to leave. */
export async function listStops(db: Queryable, driverIds: readonly string[]): Promise<readonly Stop[]> {
  const { rows } = await db.query<StopRow>(listStopsStatement, [driverIds]);
  return rows.map(({ orderId, stop, driverId, lat, lon, since, ...times }) => {
    return { orderId, stop, driverId, lat, lon, sinceMs: Date.parse(since), visit: toVisit(times) };
  });
}

const insertVisitsStatement: Statement = {
  name: 'insert_stop_visits',
  text: `insert into stop_visits (order_id, stop, driver_id)
    select order_id, stop, driver_id from unnest($1::text[], $2::text[], $3::text[]) as v (order_id, stop, driver_id)
    order by order_id, stop
    on conflict do nothing`,
};

const lockVisitsStatement: Statement = {
  name: 'lock_stop_visits',
  text: `select v.order_id as "orderId", v.stop, ${visitColumns}
    from stop_visits v
    where (v.order_id, v.stop) in (select order_id, stop from unnest($1::text[], $2::text[]) as k (order_id, stop))
    order by v.order_id, v.stop for update`,
};

/** The visits as they are now, locked: whoever looks at the same stop on another node waits, and then sees what became. */
export async function lockVisits(
  tx: Queryable,
  stops: readonly Stop[],
): Promise<readonly (StopKey & { visit: Visit })[]> {
  const orderIds = stops.map(({ orderId }) => orderId);
  const kinds = stops.map(({ stop }) => stop);
  await tx.query(insertVisitsStatement, [orderIds, kinds, stops.map(({ driverId }) => driverId)]);
  const { rows } = await tx.query<StopKey & VisitTimes>(lockVisitsStatement, [orderIds, kinds]);
  return rows.map(({ orderId, stop, ...times }) => ({ orderId, stop, visit: toVisit(times) }));
}

const updateVisitStatement: Statement = {
  name: 'update_stop_visit',
  text: `update stop_visits
    set inside_at = $3, arrived_at = coalesce(arrived_at, $4), outside_at = $5, departed_at = coalesce(departed_at, $6)
    where order_id = $1 and stop = $2`,
};

export async function updateVisit(tx: Queryable, { orderId, stop }: StopKey, visit: Visit): Promise<void> {
  const { insideMs, arrivedMs, outsideMs, departedMs } = visit;
  const times = [insideMs, arrivedMs, outsideMs, departedMs];
  await tx.query(updateVisitStatement, [
    orderId,
    stop,
    ...times.map((ms) => (ms === null ? null : new Date(ms).toISOString())),
  ]);
}

function toVisit({ insideAt, arrivedAt, outsideAt, departedAt }: VisitTimes): Visit {
  const ms = (at: string | null): number | null => (at === null ? null : Date.parse(at));
  return { insideMs: ms(insideAt), arrivedMs: ms(arrivedAt), outsideMs: ms(outsideAt), departedMs: ms(departedAt) };
}
