import type { Queryable, Statement } from '#plugin-api';

const listSuspendedDevicesStatement: Statement = {
  name: 'list_suspended_devices',
  text: `select driver_id as "driverId",
      coalesce(array_agg(device_id) filter (where suspended), '{}') as suspended
    from drivers.driver_device where driver_id = any($1) group by driver_id`,
};

/** The suspended devices of each of these drivers that exists. */
export async function listSuspendedDevices(
  db: Queryable,
  driverIds: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { rows } = await db.query<{ driverId: string; suspended: readonly string[] }>(listSuspendedDevicesStatement, [
    driverIds,
  ]);
  return new Map(rows.map(({ driverId, suspended }) => [driverId, new Set(suspended)]));
}
