import type pg from 'pg';
import { bookingAt } from '../../support/journey.ts';

const depot = { lat: 48.1276, lon: 11.5755 };

/** A booking near the depot, where the drivers wait. */
export function bookingNear(index: number): Record<string, unknown> {
  return bookingAt({ lat: depot.lat + (index % 97) * 0.0004, lon: depot.lon + (index % 89) * 0.0006 });
}

/** As registration, shift and a fix would have left them: to register so many takes longer than what is measured. */
export async function putDriversOnShift(client: Pick<pg.Client, 'query'>, count: number): Promise<void> {
  await client.query(
    `insert into drivers.drivers (driver_id, name, vehicle, on_shift)
    select 'bench-' || n, 'Driver ' || n, 'van', true from generate_series(1, $1) n`,
    [count],
  );
  await client.query(
    `insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon)
    select 'bench-' || n, 'phone', now(), $2::float8 + n * 1e-5, $3::float8 + n * 1e-5 from generate_series(1, $1) n`,
    [count, depot.lat, depot.lon],
  );
}

/** Drivers of whom nothing was heard for minutes are not considered. */
export async function refreshPositions(client: Pick<pg.Client, 'query'>): Promise<void> {
  await client.query('update tracking.newest_positions set recorded_at = now()');
}
