import type { Queryable, Statement } from '#plugin-api';

export interface AssignmentToInsert {
  readonly orderId: string;
  readonly customerId: string;
  readonly pickup: { readonly lat: number; readonly lon: number };
  readonly windowEnd: string;
}

const insertWaitingStatement: Statement = {
  name: 'insert_waiting_assignment',
  text: `insert into assignments (order_id, customer_id, status, pickup_lat, pickup_lon, window_end)
    values ($1, $2, 'waiting', $3, $4, $5)
    on conflict (order_id) do nothing`,
};

/** False when the order is known, or was over before it was heard of. */
export async function insertWaiting(db: Queryable, order: AssignmentToInsert): Promise<boolean> {
  const { rowCount } = await db.query(insertWaitingStatement, [
    order.orderId,
    order.customerId,
    order.pickup.lat,
    order.pickup.lon,
    order.windowEnd,
  ]);
  return rowCount === 1;
}

export interface WaitingAssignment {
  readonly orderId: string;
  readonly customerId: string;
  readonly lat: number;
  readonly lon: number;
  readonly windowEnd: string;
}

const lockWaitingStatement: Statement = {
  name: 'lock_waiting_assignment',
  text: `select order_id as "orderId", customer_id as "customerId", pickup_lat as lat, pickup_lon as lon,
      window_end as "windowEnd"
    from assignments where order_id = $1 and status = 'waiting' for update`,
};

/** Undefined when the order no longer waits for a driver. Others who want it wait until this transaction ends. */
export async function lockWaiting(db: Queryable, orderId: string): Promise<WaitingAssignment | undefined> {
  const { rows } = await db.query<WaitingAssignment>(lockWaitingStatement, [orderId]);
  return rows[0];
}

export interface CandidateSearch {
  readonly lat: number;
  readonly lon: number;
  readonly positionAgeMaxSeconds: number;
  readonly ordersPerDriverMax: number;
  readonly distanceMaxM: number;
  readonly limit: number;
}

export interface Candidate {
  readonly driverId: string;
  readonly distanceM: number;
}

// Great-circle distance by the haversine formula on a sphere of the earth's mean radius (IUGG), 6 371 008.8 m.
const listCandidatesStatement: Statement = {
  name: 'list_nearest_drivers',
  text: `with placed as (
      select d.driver_id, 2 * 6371008.8 * asin(sqrt(least(1,
          power(sin(radians(p.lat - $1) / 2), 2)
          + cos(radians($1)) * cos(radians(p.lat)) * power(sin(radians(p.lon - $2) / 2), 2)))) as distance_m
      from drivers d
      join tracking.driver_position p on p.driver_id = d.driver_id
      where d.on_shift and p.recorded_at > now() - make_interval(secs => $3)
        and (select count(*) from assignments a where a.driver_id = d.driver_id and a.status = 'assigned') < $4
    )
    select driver_id as "driverId", distance_m as "distanceM"
    from placed where distance_m <= $5 order by distance_m, driver_id limit $6`,
};

/** Drivers on shift with a fresh position and room for an order, nearest first. */
export async function listCandidates(db: Queryable, search: CandidateSearch): Promise<readonly Candidate[]> {
  const { rows } = await db.query<Candidate>(listCandidatesStatement, [
    search.lat,
    search.lon,
    search.positionAgeMaxSeconds,
    search.ordersPerDriverMax,
    search.distanceMaxM,
    search.limit,
  ]);
  return rows;
}

const lockCandidatesStatement: Statement = {
  name: 'lock_candidate_drivers',
  text: `select driver_id as "driverId" from drivers where driver_id = any($1) and on_shift
    order by driver_id for no key update`,
};

/** Locked in the order of ids by everybody, so that two assignments never wait for each other. */
export async function lockCandidates(db: Queryable, driverIds: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ driverId: string }>(lockCandidatesStatement, [driverIds]);
  return new Set(rows.map((row) => row.driverId));
}

const assignDriverStatement: Statement = {
  name: 'assign_driver',
  text: `update assignments set status = 'assigned', driver_id = $2, assigned_at = now()
    where order_id = $1 and status = 'waiting'
      and (select count(*) from assignments a where a.driver_id = $2 and a.status = 'assigned') < $3`,
};

/** To be called with the driver locked: whoever else gives that driver an order has committed and is counted. */
export async function assignDriver(
  db: Queryable,
  assignment: { readonly orderId: string; readonly driverId: string; readonly ordersPerDriverMax: number },
): Promise<boolean> {
  const { rowCount } = await db.query(assignDriverStatement, [
    assignment.orderId,
    assignment.driverId,
    assignment.ordersPerDriverMax,
  ]);
  return rowCount === 1;
}

const markUnavailableStatement: Statement = {
  name: 'mark_driver_unavailable',
  text: `update assignments set unavailable_at = now() where order_id = $1 and unavailable_at is null`,
};

/** True the first time. */
export async function markUnavailable(db: Queryable, orderId: string): Promise<boolean> {
  const { rowCount } = await db.query(markUnavailableStatement, [orderId]);
  return rowCount === 1;
}

const expireAssignmentStatement: Statement = {
  name: 'expire_assignment',
  text: `update assignments set status = 'expired', ended_at = now() where order_id = $1 and status = 'waiting'`,
};

export async function expireAssignment(db: Queryable, orderId: string): Promise<void> {
  await db.query(expireAssignmentStatement, [orderId]);
}

const endAssignmentStatement: Statement = {
  name: 'end_assignment',
  text: `insert into assignments (order_id, status, ended_at) values ($1, 'ended', now())
    on conflict (order_id) do update set status = 'ended', ended_at = now()
      where assignments.status <> 'ended'
    returning driver_id as "driverId"`,
};

/** The driver who is free of the order now, if it had one. An unknown order is recorded as over: events may overtake. */
export async function endAssignment(db: Queryable, orderId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ driverId: string | null }>(endAssignmentStatement, [orderId]);
  return rows[0]?.driverId ?? undefined;
}

const listWaitingStatement: Statement = {
  name: 'list_waiting_assignments',
  text: `select order_id as "orderId" from assignments where status = 'waiting' order by created_at limit $1`,
};

/** The orders that have waited longest. */
export async function listWaiting(db: Queryable, limit: number): Promise<readonly string[]> {
  const { rows } = await db.query<{ orderId: string }>(listWaitingStatement, [limit]);
  return rows.map((row) => row.orderId);
}
