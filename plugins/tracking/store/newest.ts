import type { Queryable, Statement } from '#plugin-api';
import { toDeviceKey, type Sighting } from '../plausibility.ts';

const listNewestStatement: Statement = {
  name: 'list_newest_sightings',
  text: `select driver_id as "driverId", device, recorded_at as "recordedAt", lat, lon, accuracy_m as "accuracyM"
    from newest_positions where driver_id = any($1)`,
};

interface NewestRow {
  readonly driverId: string;
  readonly device: string;
  readonly recordedAt: string;
  readonly lat: number;
  readonly lon: number;
  readonly accuracyM: number | null;
}

/** The newest positions of these drivers, by the device that sent each. */
export async function listNewestSightings(
  db: Queryable,
  driverIds: readonly string[],
): Promise<ReadonlyMap<string, Sighting>> {
  const { rows } = await db.query<NewestRow>(listNewestStatement, [driverIds]);
  return new Map(
    rows.map(({ recordedAt, lat, lon, accuracyM, ...source }) => [
      toDeviceKey(source),
      { timeMs: Date.parse(recordedAt), lat, lon, accuracyM },
    ]),
  );
}
