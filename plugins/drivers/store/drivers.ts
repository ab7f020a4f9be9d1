import type { Queryable, Statement } from '#plugin-api';
import type { Driver, DriverChange, DriverStatus, StatusChange } from '../driver.ts';
import { capacityOf } from '../vehicle.ts';

const columns = `driver_id as "driverId", name, vehicle, capacity_parcels as "capacityParcels",
  capacity_volume_l as "capacityVolumeL", status, status_reason as "statusReason", auto_accept as "autoAccept",
  on_shift as "onShift", on_break as "onBreak", shift_changed_at as "shiftChangedAt", created_at as "createdAt", version`;

interface DriverRow extends Omit<Driver, 'capacity'> {
  readonly capacityParcels: number | null;
  readonly capacityVolumeL: number | null;
  readonly version: number;
}

export interface StoredDriver extends Driver {
  /** Grows with each change that ops or the driver makes. */
  readonly version: number;
}

function toStored({ capacityParcels, capacityVolumeL, ...row }: DriverRow): StoredDriver {
  return { ...row, capacity: capacityOf({ vehicle: row.vehicle, capacityParcels, capacityVolumeL }) };
}

/** As it is shown. */
export function toDriver({ version: _version, ...driver }: StoredDriver): Driver {
  return driver;
}

export interface DriverToInsert extends Pick<Driver, 'driverId' | 'name' | 'vehicle' | 'status' | 'autoAccept'> {
  readonly capacity: Driver['capacity'] | null;
}

const insertDriverStatement: Statement = {
  name: 'insert_driver',
  text: `insert into drivers (driver_id, name, vehicle, status, auto_accept, capacity_parcels, capacity_volume_l)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (driver_id) do nothing
    returning ${columns}`,
};

/** Undefined when the id is taken. */
export async function insertDriver(db: Queryable, driver: DriverToInsert): Promise<StoredDriver | undefined> {
  const { rows } = await db.query<DriverRow>(insertDriverStatement, [
    driver.driverId,
    driver.name,
    driver.vehicle,
    driver.status,
    driver.autoAccept,
    driver.capacity?.parcels ?? null,
    driver.capacity?.volumeL ?? null,
  ]);
  return rows[0] && toStored(rows[0]);
}

const findDriverStatement: Statement = {
  name: 'find_driver',
  text: `select ${columns} from drivers where driver_id = $1`,
};

export async function findDriver(db: Queryable, driverId: string): Promise<StoredDriver | undefined> {
  const { rows } = await db.query<DriverRow>(findDriverStatement, [driverId]);
  return rows[0] && toStored(rows[0]);
}

const isAnyWorkingStatement: Statement = {
  name: 'is_any_driver_working',
  text: 'select exists (select from drivers where driver_id = any($1) and on_shift and not on_break) as "isAny"',
};

export async function isAnyWorking(db: Queryable, driverIds: readonly string[]): Promise<boolean> {
  const { rows } = await db.query<{ isAny: boolean }>(isAnyWorkingStatement, [driverIds]);
  return rows[0]?.isAny === true;
}

const lockDriverStatement: Statement = {
  name: 'lock_driver',
  text: `select ${columns} from drivers where driver_id = $1 for no key update`,
};

/** Undefined when there is no such driver. Drivers are locked before assignments, by everybody. */
export async function lockDriver(db: Queryable, driverId: string): Promise<StoredDriver | undefined> {
  const { rows } = await db.query<DriverRow>(lockDriverStatement, [driverId]);
  return rows[0] && toStored(rows[0]);
}

const listDriversStatement: Statement = {
  name: 'list_drivers',
  text: `select ${columns} from drivers
    where ($1::text is null or driver_id > $1) and ($2::boolean is null or on_shift = $2)
      and ($3::text is null or status = $3)
    order by driver_id limit $4`,
};

export interface DriverFilter {
  readonly after: string | null;
  readonly onShift: boolean | null;
  readonly status: DriverStatus | null;
  readonly limit: number;
}

export async function listDrivers(db: Queryable, filter: DriverFilter): Promise<readonly StoredDriver[]> {
  const { after, onShift, status, limit } = filter;
  const { rows } = await db.query<DriverRow>(listDriversStatement, [after, onShift, status, limit]);
  return rows.map(toStored);
}

const changeDriverStatement: Statement = {
  name: 'change_driver',
  text: `update drivers set name = coalesce($2, name), vehicle = coalesce($3, vehicle),
      auto_accept = coalesce($4, auto_accept),
      capacity_parcels = case when $5::boolean then $6::int else capacity_parcels end,
      capacity_volume_l = case when $5::boolean then $7::int else capacity_volume_l end, version = version + 1
    where driver_id = $1
    returning ${columns}`,
};

/** A capacity of null is the usual one of the vehicle again. To be called with the driver locked. */
export async function changeDriver(db: Queryable, driverId: string, change: DriverChange): Promise<StoredDriver> {
  const { rows } = await db.query<DriverRow>(changeDriverStatement, [
    driverId,
    change.name ?? null,
    change.vehicle ?? null,
    change.autoAccept ?? null,
    change.capacity !== undefined,
    change.capacity?.parcels ?? null,
    change.capacity?.volumeL ?? null,
  ]);
  const [row] = rows;
  if (row === undefined) throw new Error(`Cannot change driver '${driverId}': there is none`);
  return toStored(row);
}

const setStatusStatement: Statement = {
  name: 'set_driver_status',
  text: `update drivers set status = $2, status_reason = $3, version = version + 1,
      on_shift = on_shift and $2 = 'approved', on_break = on_break and $2 = 'approved',
      shift_changed_at = case when on_shift and $2 <> 'approved' then now() else shift_changed_at end
    where driver_id = $1`,
};

/** Who is not approved is not on shift. To be called with the driver locked. */
export async function setStatus(
  db: Queryable,
  driverId: string,
  { status, reason }: { readonly status: DriverStatus; readonly reason: string | null },
): Promise<void> {
  await db.query(setStatusStatement, [driverId, status, reason]);
}

const insertStatusChangeStatement: Statement = {
  name: 'insert_status_change',
  text: `insert into driver_status_changes (driver_id, status, reason, by_kind, by_id) values ($1, $2, $3, $4, $5)`,
};

export async function insertStatusChange(
  db: Queryable,
  change: Omit<StatusChange, 'at'> & { readonly driverId: string },
): Promise<void> {
  const { driverId, status, reason, byKind, byId } = change;
  await db.query(insertStatusChangeStatement, [driverId, status, reason, byKind, byId]);
}

const listStatusChangesStatement: Statement = {
  name: 'list_status_changes',
  text: `select status, reason, by_kind as "byKind", by_id as "byId", changed_at as at
    from driver_status_changes where driver_id = $1 order by changed_at desc limit 100`,
};

/** The newest first. */
export async function listStatusChanges(db: Queryable, driverId: string): Promise<readonly StatusChange[]> {
  const { rows } = await db.query<StatusChange>(listStatusChangesStatement, [driverId]);
  return rows;
}

const setWorkingStatement: Statement = {
  name: 'set_driver_working',
  text: `update drivers set on_shift = $2, on_break = $3, version = version + 1,
      shift_changed_at = case when on_shift = $2 then shift_changed_at else now() end
    where driver_id = $1
    returning ${columns}`,
};

/** To be called with the driver locked. */
export async function setWorking(
  db: Queryable,
  driverId: string,
  { onShift, onBreak }: Pick<Driver, 'onShift' | 'onBreak'>,
): Promise<StoredDriver> {
  const { rows } = await db.query<DriverRow>(setWorkingStatement, [driverId, onShift, onBreak]);
  const [row] = rows;
  if (row === undefined) throw new Error(`Cannot change the shift of driver '${driverId}': there is none`);
  return toStored(row);
}
