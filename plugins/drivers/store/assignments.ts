import type { Queryable, Statement } from '#plugin-api';
import type { Assignment, AssignmentStatus, AssignmentStep } from '../assignment.ts';

export const assignmentColumns = `order_id as "orderId", customer_id as "customerId", status, driver_id as "driverId", attempt,
  sequence, parcels, hold_reason as "holdReason", waiting_since as "waitingSince", unavailable_at as "unavailableSince",
  assigned_at as "assignedAt", picked_up_at as "pickedUpAt", created_at as "createdAt", ended_at as "endedAt",
  pickup_lat as "pickupLat", pickup_lon as "pickupLon", window_start as "windowStart", window_end as "windowEnd",
  destination_lat as "destinationLat", destination_lon as "destinationLon", version, round, volume_l as "volumeL", traceparent`;

export interface StoredAssignment extends Omit<Assignment, 'pickup' | 'pickupWindow' | 'destination'> {
  readonly pickupLat: number | null;
  readonly pickupLon: number | null;
  readonly windowStart: string | null;
  readonly windowEnd: string | null;
  readonly destinationLat: number | null;
  readonly destinationLon: number | null;
  readonly volumeL: number | null;
  readonly version: number;
  readonly round: number;
  /** Of the order's scheduling; null of orders from before it was kept. */
  readonly traceparent: string | null;
}

const toPlace = (lat: number | null, lon: number | null): Assignment['pickup'] =>
  lat === null || lon === null ? null : { lat, lon };

/** As it is shown. */
export function toAssignment(stored: StoredAssignment): Assignment {
  const { pickupLat, pickupLon, windowStart, windowEnd, destinationLat, destinationLon, ...rest } = stored;
  const { version: _version, round: _round, volumeL: _volumeL, traceparent: _traceparent, ...shown } = rest;
  return {
    ...shown,
    pickup: toPlace(pickupLat, pickupLon),
    pickupWindow: { start: windowStart, end: windowEnd },
    destination: toPlace(destinationLat, destinationLon),
  };
}

const findAssignmentStatement: Statement = {
  name: 'find_assignment',
  text: `select ${assignmentColumns} from driver_assignments where order_id = $1`,
};

export async function findAssignment(db: Queryable, orderId: string): Promise<StoredAssignment | undefined> {
  const { rows } = await db.query<StoredAssignment>(findAssignmentStatement, [orderId]);
  return rows[0];
}

const lockAssignmentStatement: Statement = {
  name: 'lock_assignment',
  text: `select ${assignmentColumns} from driver_assignments where order_id = $1 for update`,
};

/** Others who want to change it wait until this transaction ends. Drivers are locked before it, by everybody. */
export async function lockAssignment(db: Queryable, orderId: string): Promise<StoredAssignment | undefined> {
  const { rows } = await db.query<StoredAssignment>(lockAssignmentStatement, [orderId]);
  return rows[0];
}

const listActiveStatement: Statement = {
  name: 'list_active_assignments',
  text: `select ${assignmentColumns} from driver_assignments
    where driver_id = $1 and status in ('assigned', 'accepted') order by assigned_at, order_id limit 200`,
};

/** What a driver carries or goes for. */
export async function listActive(db: Queryable, driverId: string): Promise<readonly StoredAssignment[]> {
  const { rows } = await db.query<StoredAssignment>(listActiveStatement, [driverId]);
  return rows;
}

// One status at a time, so that a page is read from the index and not sorted.
const listAssignmentsStatement: Statement = {
  name: 'list_assignments',
  text: `select ${assignmentColumns} from driver_assignments
    where status = $1 and (created_at, order_id) < ($2::timestamptz, $3::text)
    order by created_at desc, order_id desc limit $4`,
};

export interface AssignmentFilter {
  readonly status: AssignmentStatus;
  /** Where the page before ended: its last row. */
  readonly before: { readonly createdAt: string; readonly id: string };
  readonly limit: number;
}

export async function listAssignments(db: Queryable, filter: AssignmentFilter): Promise<readonly StoredAssignment[]> {
  const { status, before, limit } = filter;
  const { rows } = await db.query<StoredAssignment>(listAssignmentsStatement, [
    status,
    before.createdAt,
    before.id,
    limit,
  ]);
  return rows;
}

const insertStepStatement: Statement = {
  name: 'insert_assignment_step',
  text: `insert into driver_assignment_steps (order_id, sequence, step, attempt, driver_id, by_kind, by_id, reason)
    values ($1, $2, $3, $4, $5, $6, $7, $8)`,
};

export interface StepToInsert {
  readonly orderId: string;
  readonly sequence: number;
  readonly step: 'assigned' | 'unassigned' | 'held' | 'released' | 'failed' | 'ended';
  readonly attempt: number;
  readonly driverId: string | null;
  readonly byKind: string;
  readonly byId: string;
  readonly reason: string | null;
}

export async function insertStep(db: Queryable, step: StepToInsert): Promise<void> {
  await db.query(insertStepStatement, [
    step.orderId,
    step.sequence,
    step.step,
    step.attempt,
    step.driverId,
    step.byKind,
    step.byId,
    step.reason,
  ]);
}

const listStepsStatement: Statement = {
  name: 'list_assignment_steps',
  text: `select step, sequence, attempt, driver_id as "driverId", by_kind as "byKind", by_id as "byId", reason, at
    from driver_assignment_steps where order_id = $1 order by at limit 500`,
};

export async function listSteps(db: Queryable, orderId: string): Promise<readonly AssignmentStep[]> {
  const { rows } = await db.query<AssignmentStep>(listStepsStatement, [orderId]);
  return rows;
}
