import type { Queryable, Statement } from '#plugin-api';
import type { Place } from '../distance.ts';

/** Where a driver was some time before. */
export interface EarlierPlace extends Place {
  readonly recordedAt: string;
}

interface EarlierRow extends EarlierPlace {
  readonly driverId: string;
}

/*
 * One step into the index for each track: the begin of the stretch. Within one UTC day, for that is what the index is of;
 * so in the first minutes of a day the stretch is a shorter one.
 */
const listEarlierPlacesStatement: Statement = {
  name: 'list_earlier_places',
  text: `select distinct on (a.driver_id) a.driver_id as "driverId", p.recorded_at as "recordedAt",
      p.lat / 1e7::float8 as lat, p.lon / 1e7::float8 as lon
    from unnest($1::text[], $2::timestamptz[]) as a (driver_id, at)
      join ping_tracks t on t.driver_id = a.driver_id
      cross join lateral (
        select f.recorded_at, f.lat, f.lon from driver_location_pings f
        where f.track_key = t.track_key and f.flags = 0
          and f.recorded_at >= date_trunc('day', a.at, 'UTC') and f.recorded_at < a.at
          and ping_ms(f.recorded_at) >= ping_ms(a.at) - 300000 and ping_ms(f.recorded_at) < ping_ms(a.at)
        order by ping_ms(f.recorded_at) limit 1
      ) p
    order by a.driver_id, p.recorded_at`,
};

/** Where each driver was up to five minutes before a time, by driver; none for who was not heard of then. */
export async function listEarlierPlaces(
  db: Queryable,
  asked: readonly { readonly driverId: string; readonly at: string }[],
): Promise<ReadonlyMap<string, EarlierPlace>> {
  const { rows } = await db.query<EarlierRow>(listEarlierPlacesStatement, [
    asked.map(({ driverId }) => driverId),
    asked.map(({ at }) => at),
  ]);
  return new Map(rows.map(({ driverId, ...place }) => [driverId, place]));
}
