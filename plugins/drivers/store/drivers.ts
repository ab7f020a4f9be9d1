import type { Queryable, Statement } from '#plugin-api';
import type { Driver } from '../driver.ts';

const columns = `driver_id as "driverId", name, vehicle, on_shift as "onShift", shift_changed_at as "shiftChangedAt",
  created_at as "createdAt"`;

const insertDriverStatement: Statement = {
  name: 'insert_driver',
  text: `insert into drivers (driver_id, name, vehicle) values ($1, $2, $3)
    on conflict (driver_id) do nothing
    returning ${columns}`,
};

/** Undefined when the id is taken. */
export async function insertDriver(
  db: Queryable,
  driver: Pick<Driver, 'driverId' | 'name' | 'vehicle'>,
): Promise<Driver | undefined> {
  const { rows } = await db.query<Driver>(insertDriverStatement, [driver.driverId, driver.name, driver.vehicle]);
  return rows[0];
}

const findDriverStatement: Statement = {
  name: 'find_driver',
  text: `select ${columns} from drivers where driver_id = $1`,
};

export async function findDriver(db: Queryable, driverId: string): Promise<Driver | undefined> {
  const { rows } = await db.query<Driver>(findDriverStatement, [driverId]);
  return rows[0];
}

const listDriversStatement: Statement = {
  name: 'list_drivers',
  text: `select ${columns} from drivers
    where ($1::text is null or driver_id > $1) and ($2::boolean is null or on_shift = $2)
    order by driver_id limit $3`,
};

export interface DriverFilter {
  readonly after: string | null;
  readonly onShift: boolean | null;
  readonly limit: number;
}

export async function listDrivers(db: Queryable, filter: DriverFilter): Promise<readonly Driver[]> {
  const { rows } = await db.query<Driver>(listDriversStatement, [filter.after, filter.onShift, filter.limit]);
  return rows;
}

const setShiftStatement: Statement = {
  name: 'set_driver_shift',
  text: `update drivers
    set on_shift = $2, shift_changed_at = case when on_shift = $2 then shift_changed_at else now() end
    where driver_id = $1
    returning ${columns}`,
};

/** Undefined when there is no such driver. */
export async function setShift(db: Queryable, driverId: string, onShift: boolean): Promise<Driver | undefined> {
  const { rows } = await db.query<Driver>(setShiftStatement, [driverId, onShift]);
  return rows[0];
}

const lockDriverStatement: Statement = {
  name: 'lock_driver',
  text: 'select driver_id from drivers where driver_id = $1 for no key update',
};

/** False when there is no such driver. */
export async function lockDriver(db: Queryable, driverId: string): Promise<boolean> {
  const { rowCount } = await db.query(lockDriverStatement, [driverId]);
  return rowCount === 1;
}
