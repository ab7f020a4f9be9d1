import type pg from 'pg';
import { bookingAt, type Place } from '../../support/journey.ts';

/** A city of 40 by 30 km: bookings and drivers are all over it, in some dozens of the areas that share places. */
const corner = { lat: 48, lon: 11.3 };
const extent = { lat: 0.36, lon: 0.4 };
/** Steps of a golden section never come back to the same place, and leave no part of the city out. */
const steps = { lat: 0.618_034, lon: 0.754_878 };

/** As many places in a pickup window as nobody books here: a full window is not what is measured. */
export const windowCapacity = 1_000_000;
/** What both sides are set to. */
export const pluginSettings = { ORDERS_WINDOW_CAPACITY: String(windowCapacity) } as const;

const along = (index: number, step: number): number => (index * step) % 1;

function placeOf(index: number): Place {
  return {
    lat: Number((corner.lat + along(index, steps.lat) * extent.lat).toFixed(6)),
    lon: Number((corner.lon + along(index, steps.lon) * extent.lon).toFixed(6)),
  };
}

/** A booking somewhere in the city. */
export const bookingNear = (index: number): Record<string, unknown> => bookingAt(placeOf(index));

/**
 * Drivers who take each offer at once: how long people take to answer is not what is measured. Written as registration, shift
 * and a fix would have left them, since to register so many takes longer than what is measured.
 */
export async function putDriversOnShift(client: Pick<pg.Client, 'query'>, count: number): Promise<void> {
  await client.query(
    `insert into drivers.drivers (driver_id, name, vehicle, status, auto_accept, on_shift, shift_changed_at)
    select 'bench-' || n, 'Driver ' || n, 'van', 'approved', true, true, now() from generate_series(1, $1::int) n`,
    [count],
  );
  const places = Array.from({ length: count }, (_, index) => placeOf(index + 0.5));
  await client.query(
    `insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon)
    select 'bench-' || p.n, 'phone', now(), p.lat, p.lon
    from unnest($1::float8[], $2::float8[]) with ordinality p (lat, lon, n)`,
    [places.map(({ lat }) => lat), places.map(({ lon }) => lon)],
  );
  await client.query('analyze drivers.drivers, tracking.newest_positions');
}

const refreshMs = 60_000;

/** Drivers of whom nothing was heard for minutes are not considered: all are heard of each minute. */
export function keepPositionsFresh(client: Pick<pg.Client, 'query'>): { stop(): Promise<void> } {
  let last: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    last = client.query('update tracking.newest_positions set recorded_at = now()');
  }, refreshMs);
  return {
    async stop() {
      clearInterval(timer);
      await last;
    },
  };
}
