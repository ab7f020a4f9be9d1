import type { Queryable, Statement } from '#plugin-api';
import { toFlagBits, type Fix } from '../fix.ts';

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
}

/*
 * One statement, so that history and newest position are of one mind and a batch costs one round trip.
 * Both inserts go in the order of their keys: batches that several nodes store at once lock rows in the same order.
 * `newest` takes one fix a driver, because an upsert may touch a row only once; ties go to the greatest key, so that
 * any order of the same fixes ends in the same position.
 */
const storeFixesStatement: Statement = {
  name: 'store_fixes',
  text: `with fix as (
      select driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg, flags
      from unnest($1::text[], $2::text[], $3::timestamptz[], $4::float8[], $5::float8[], $6::real[], $7::real[], $8::real[],
          $9::smallint[])
        as f (driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg, flags)
    ), stored as (
      insert into driver_location_pings
        (driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg)
      select driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg
      from fix order by driver_id, device, recorded_at, lat, lon
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
    select (select count(*)::int from stored) as stored,
      coalesce((select json_agg(json_build_object(
        'driverId', m.driver_id,
        'recordedAt', to_char(m.recorded_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'lat', m.lat, 'lon', m.lon,
        'accuracyM', m.accuracy_m, 'speedMps', m.speed_mps, 'headingDeg', m.heading_deg,
        -- The position as it was before this statement.
        'previousRecordedAt', (select before.recorded_at from newest_positions before where before.driver_id = m.driver_id),
        'orderIds', (select coalesce(json_agg(o.order_id), '[]') from tracked_orders o
          where o.driver_id = m.driver_id and o.status = 'active'))) from moved m), '[]') as moved`,
};

/** Stores a batch, whatever of it is known already, and in whatever order it came. */
export async function storeFixes(db: Queryable, fixes: readonly Fix[]): Promise<StoredBatch> {
  const { rows } = await db.query<StoredBatch>(storeFixesStatement, [
    fixes.map((fix) => fix.driverId),
    fixes.map((fix) => fix.device),
    fixes.map((fix) => fix.recordedAt),
    fixes.map((fix) => fix.lat),
    fixes.map((fix) => fix.lon),
    fixes.map((fix) => fix.accuracyM),
    fixes.map((fix) => fix.speedMps),
    fixes.map((fix) => fix.headingDeg),
    fixes.map((fix) => toFlagBits(fix.flags)),
  ]);
  return rows[0] ?? { stored: 0, moved: [] };
}

export interface HistoryPoint {
  readonly device: string;
  readonly recordedAt: string;
  readonly lat: number;
  readonly lon: number;
  readonly accuracyM: number | null;
  readonly speedMps: number | null;
  readonly headingDeg: number | null;
  readonly receivedAt: string;
}

export interface HistoryRange {
  readonly driverId: string;
  readonly from: string;
  readonly to: string;
  readonly after: HistoryKey | null;
  readonly limit: number;
}

/** What tells a driver's fixes apart. */
export type HistoryKey = Pick<HistoryPoint, 'recordedAt' | 'device' | 'lat' | 'lon'>;

const listHistoryStatement: Statement = {
  name: 'list_driver_history',
  text: `select device, recorded_at as "recordedAt", lat, lon, accuracy_m as "accuracyM", speed_mps as "speedMps",
      heading_deg as "headingDeg", received_at as "receivedAt"
    from driver_location_pings
    where driver_id = $1 and recorded_at >= $2 and recorded_at < $3
      and ($4::timestamptz is null
        or (recorded_at, device, lat, lon) > ($4::timestamptz, $5::text, $6::float8, $7::float8))
    order by recorded_at, device, lat, lon limit $8`,
};

/** A driver's fixes in the order of their times. */
export async function listHistory(db: Queryable, range: HistoryRange): Promise<readonly HistoryPoint[]> {
  const { after } = range;
  const { rows } = await db.query<HistoryPoint>(listHistoryStatement, [
    range.driverId,
    range.from,
    range.to,
    after?.recordedAt ?? null,
    after?.device ?? null,
    after?.lat ?? null,
    after?.lon ?? null,
    range.limit,
  ]);
  return rows;
}
