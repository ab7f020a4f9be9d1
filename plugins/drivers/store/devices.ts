import type { Queryable, Statement } from '#plugin-api';
import type { Device } from '../device.ts';

const columns = `device_id as "deviceId", username, issued_at as "issuedAt", revoked_at as "revokedAt"`;

export interface DeviceToUpsert {
  readonly driverId: string;
  readonly deviceId: string;
  readonly username: string;
  readonly issuedBy: string;
}

const upsertDeviceStatement: Statement = {
  name: 'upsert_driver_device',
  text: `insert into driver_devices (driver_id, device_id, username, issued_by) values ($1, $2, $3, $4)
    on conflict (driver_id, device_id)
    do update set issued_at = now(), issued_by = excluded.issued_by, revoked_at = null`,
};

export async function upsertDevice(db: Queryable, device: DeviceToUpsert): Promise<void> {
  await db.query(upsertDeviceStatement, [device.driverId, device.deviceId, device.username, device.issuedBy]);
}

const countOtherDevicesStatement: Statement = {
  name: 'count_other_devices',
  text: `select count(*) filter (where revoked_at is null)::int as active, count(*)::int as known
    from driver_devices where driver_id = $1 and device_id <> $2`,
};

/** The devices of a driver beside this one. */
export async function countOtherDevices(
  db: Queryable,
  driverId: string,
  deviceId: string,
): Promise<{ readonly active: number; readonly known: number }> {
  const { rows } = await db.query<{ active: number; known: number }>(countOtherDevicesStatement, [driverId, deviceId]);
  return rows[0] ?? { active: 0, known: 0 };
}

const findActiveDeviceStatement: Statement = {
  name: 'find_active_device',
  text: `select ${columns} from driver_devices where driver_id = $1 and device_id = $2 and revoked_at is null`,
};

export async function findActiveDevice(db: Queryable, driverId: string, deviceId: string): Promise<Device | undefined> {
  const { rows } = await db.query<Device>(findActiveDeviceStatement, [driverId, deviceId]);
  return rows[0];
}

const revokeDeviceStatement: Statement = {
  name: 'revoke_driver_device',
  text: `update driver_devices set revoked_at = coalesce(revoked_at, now()) where driver_id = $1 and device_id = $2
    returning ${columns}`,
};

/** Undefined when the driver has no such device. */
export async function revokeDevice(db: Queryable, driverId: string, deviceId: string): Promise<Device | undefined> {
  const { rows } = await db.query<Device>(revokeDeviceStatement, [driverId, deviceId]);
  return rows[0];
}

const revokeDevicesStatement: Statement = {
  name: 'revoke_driver_devices',
  text: `update driver_devices set revoked_at = now() where driver_id = $1 and revoked_at is null returning username`,
};

/** The user names of those that were in use. */
export async function revokeDevices(db: Queryable, driverId: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ username: string }>(revokeDevicesStatement, [driverId]);
  return rows.map(({ username }) => username);
}

const listDevicesStatement: Statement = {
  name: 'list_driver_devices',
  text: `select ${columns} from driver_devices where driver_id = $1 order by device_id limit 100`,
};

export async function listDevices(db: Queryable, driverId: string): Promise<readonly Device[]> {
  const { rows } = await db.query<Device>(listDevicesStatement, [driverId]);
  return rows;
}
