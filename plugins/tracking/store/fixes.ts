import type { Queryable, SqlValue, Statement } from '#plugin-api';
import { toFlagBits, type Fix } from '../fix.ts';
import { toDay } from '../retention.ts';
import { makePartitions } from './partitions.ts';

/** A driver's newest position after it has moved forward. */
export interface MovedPosition {
  readonly driverId: string;
  readonly recordedAt: string;
  readonly lat: number;
  readonly lon: number;
  readonly accuracyM: number | null;
  readonly speedMps: number | null;
  readonly headingDeg: number | null;
  /** Null when it is the driver's first. */
  readonly previousRecordedAt: string | null;
  /** The orders that the driver carries. */
  readonly orderIds: readonly string[];
}

export interface StoredBatch {
  /** Fixes that were not known before. */
  readonly stored: number;
  readonly moved: readonly MovedPosition[];
  /** Those of the drivers who carry an order or have yet to leave a stop. */
  readonly carriers: readonly string[];
}

/*
 * One statement, so that history and newest position are of one mind and a batch costs one round trip.
 * All inserts go in the order of their keys: batches that several nodes store at once lock rows in the same order.
 *
 * Nothing at all is stored while a day of the batch has no partition: `missingDays` says which, and the batch comes
 * again once they are made.
 *
 * A track (a driver's device) that is new gets its key here. Only what is not found is inserted, because every attempt
 * uses a key up. One that another node inserts at the same moment is not seen by this statement: `do update` waits for
 * it and returns its key.
 *
 * `newest` takes one fix a driver, because an upsert may touch a row only once; ties go to the greatest key, so that
 * any order of the same fixes ends in the same position.
 */
const storeFixesStatement: Statement = {
  name: 'store_fixes',
  text: `with missing as (
      select array(select to_char(d.day, 'YYYY-MM-DD') from unnest($10::date[]) d (day)
        where not exists (select from ping_partitions p where p.day = d.day)) as days
    ), fix as (
      select driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg, flags
      from unnest($1::text[], $2::text[], $3::timestamptz(3)[], $4::float8[], $5::float8[], $6::real[], $7::real[], $8::real[],
          $9::smallint[])
        as f (driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg, flags)
      where (select cardinality(days) = 0 from missing)
    ), new_track as (
      insert into ping_tracks (driver_id, device)
      select distinct f.driver_id, f.device from fix f
      where not exists (select from ping_tracks k where k.driver_id = f.driver_id and k.device = f.device)
      order by f.driver_id, f.device
      on conflict (driver_id, device) do update set device = excluded.device
      returning driver_id, device, track_key
    ), stored as (
      insert into driver_location_pings (recorded_at, track_key, lat, lon, received_lag_centiseconds, accuracy_cm,
        speed_cm_per_s, heading_tenths, flags)
      select f.recorded_at, coalesce(k.track_key, n.track_key) as track_key,
        round(f.lat * 1e7)::int4 as lat, round(f.lon * 1e7)::int4 as lon,
        least(greatest(round(extract(epoch from now() - f.recorded_at) * 100), -2147483648), 2147483647)::int4,
        coalesce(round(f.accuracy_m * 100)::int4, -1), coalesce(round(f.speed_mps * 100)::int4, -1),
        coalesce((round(f.heading_deg * 10)::int4 % 3600)::smallint, -1), f.flags
      from fix f
        left join ping_tracks k on k.driver_id = f.driver_id and k.device = f.device
        left join new_track n on n.driver_id = f.driver_id and n.device = f.device
      order by 2, 1, 3, 4
      on conflict do nothing
      returning 1
    ), newest as (
      select distinct on (driver_id) driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg
      -- An inaccurate one (1) is kept, and moves nothing.
      from fix where flags & 1 = 0 order by driver_id, recorded_at desc, device desc, lat desc, lon desc
    ), moved as (
      insert into newest_positions as p
        (driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg)
      select driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg
      from newest order by driver_id
      on conflict (driver_id) do update
        set device = excluded.device, recorded_at = excluded.recorded_at, lat = excluded.lat, lon = excluded.lon,
          accuracy_m = excluded.accuracy_m, speed_mps = excluded.speed_mps, heading_deg = excluded.heading_deg,
          received_at = now()
        where (excluded.recorded_at, excluded.device, excluded.lat, excluded.lon)
          > (p.recorded_at, p.device, p.lat, p.lon)
      returning driver_id, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg
    )
    select (select days from missing) as "missingDays", (select count(*)::int from stored) as stored,
      coalesce((select json_agg(json_build_object(
        'driverId', m.driver_id,
        'recordedAt', to_char(m.recorded_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'lat', m.lat, 'lon', m.lon,
        'accuracyM', m.accuracy_m, 'speedMps', m.speed_mps, 'headingDeg', m.heading_deg,
        -- The position as it was before this statement.
        'previousRecordedAt', (select before.recorded_at from newest_positions before where before.driver_id = m.driver_id),
        'orderIds', (select coalesce(json_agg(o.order_id), '[]') from tracked_orders o
          where o.driver_id = m.driver_id and o.status = 'active'))) from moved m), '[]') as moved,
      array(select driver_id from tracked_orders where driver_id in (select driver_id from fix) and status = 'active'
        union
        select driver_id from stop_visits where driver_id in (select driver_id from fix)
          and arrived_at is not null and departed_at is null) as carriers`,
};

/**
 * Stores a batch, whatever of it is known already, and in whatever order it came. A day that has no partition, of a late
 * fix or since nobody has made partitions for long, gets it here.
 */
export async function storeFixes(db: Queryable, fixes: readonly Fix[]): Promise<StoredBatch> {
  const values = toValues(fixes);
  const { missingDays, ...batch } = await runStore(db, values);
  if (missingDays.length === 0) return batch;
  await makePartitions(db, missingDays);
  const { missingDays: stillMissing, ...second } = await runStore(db, values);
  if (stillMissing.length === 0) return second;
  // Dropped in this moment: the batch is not acknowledged, and comes again.
  throw new Error(`Cannot store fixes: there is no partition of ${stillMissing.join(', ')}`);
}

interface StoreRow extends StoredBatch {
  readonly missingDays: readonly string[];
}

async function runStore(db: Queryable, values: readonly SqlValue[]): Promise<StoreRow> {
  const { rows } = await db.query<StoreRow>(storeFixesStatement, values);
  return rows[0] ?? { stored: 0, moved: [], carriers: [], missingDays: [] };
}

function toValues(fixes: readonly Fix[]): readonly SqlValue[] {
  return [
    toArray(fixes, (fix) => toElement(fix.driverId)),
    toArray(fixes, (fix) => toElement(fix.device)),
    toArray(fixes, (fix) => fix.recordedAt),
    toArray(fixes, (fix) => fix.lat),
    toArray(fixes, (fix) => fix.lon),
    toArray(fixes, (fix) => fix.accuracyM ?? 'NULL'),
    toArray(fixes, (fix) => fix.speedMps ?? 'NULL'),
    toArray(fixes, (fix) => fix.headingDeg ?? 'NULL'),
    toArray(fixes, (fix) => toFlagBits(fix.flags)),
    [...new Set(fixes.map((fix) => toDay(fix.recordedAt)))],
  ];
}

/** As Postgres reads an array: one text on the way there, where thousands of values would be written and read one by one. */
function toArray(fixes: readonly Fix[], element: (fix: Fix) => string | number): string {
  return `{${fixes.map(element).join()}}`;
}

const plainPattern = /^(?!null$)[a-z0-9._-]+$/i;

/** The ids that devices have need no quotes, unless one is called "null". */
function toElement(text: string): string {
  return plainPattern.test(text) ? text : `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
