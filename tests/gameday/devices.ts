/** Drivers and their phones, as a fault needs them. */
import { connectDevice, type Device } from '../support/journey.ts';
import type { System } from './system.ts';

/** Registers a driver with a phone that is connected; no position is sent yet. */
export async function addDriver(system: System, driverId: string): Promise<Device> {
  await system.ops.ok('POST', '/drivers', { driverId, name: `Driver ${driverId}`, vehicle: 'van', autoAccept: true });
  const credentials = await system.ops.ok<{ username: string; password: string }>(
    'POST',
    `/drivers/${driverId}/devices`,
    { deviceId: 'phone' },
  );
  // Mosquitto takes anybody, the embedded broker these credentials alone.
  return connectDevice(system.mqttUrl, { driverId, ...credentials });
}

export const drivingPlace = { lat: 40.7, lon: -74 };

/** No two fixes are the same: repetitions are no rows. */
export const fixPlace = (count: number): { readonly lat: number; readonly lon: number } => ({
  lat: Number((drivingPlace.lat + (count % 1000) * 0.000_01).toFixed(6)),
  lon: drivingPlace.lon,
});
