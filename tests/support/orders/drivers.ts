import type { Rig } from '../ingest/rig.ts';
import { near, type Place } from '../journey.ts';

/** Registers a driver with a phone and puts it on shift near a place. Nobody else is considered there. */
export async function putDriverOnShift(
  rig: Rig,
  { driverId, place }: { readonly driverId: string; readonly place: Place },
): Promise<void> {
  const ops = await rig.core.as('ops', 'faults');
  await ops.ok('POST', '/drivers', { driverId, name: `Driver ${driverId}`, vehicle: 'van' });
  const driver = await rig.core.as('driver', driverId);
  await driver.ok('POST', `/drivers/${driverId}/shift`, { onShift: true });
  await rig.database.with(async (client) => {
    const { lat, lon } = near(place, 1);
    await client.query(
      `insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon) values ($1, 'phone', now(), $2, $3)
      on conflict (driver_id) do update set recorded_at = now(), lat = excluded.lat, lon = excluded.lon`,
      [driverId, lat, lon],
    );
  });
}
