import type { Queryable, SqlValue, Statement } from '#plugin-api';

/** What tells a driver's fixes apart, in the order of reading. Integers as they are stored, so that they are exact. */
export interface TrackKey {
  /** ISO 8601 in UTC with milliseconds. */
  readonly recordedAt: string;
  readonly trackKey: number;
  /** Degrees times 10^7. */
  readonly latE7: number;
  readonly lonE7: number;
}

export interface TrackRange {
  readonly driverId: string;
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
  /** The key of the last row that was read; the next one follows it. */
  readonly afterCursor?: TrackKey | undefined;
  readonly limit: number;
}

/**
 * The fixes of a UTC day as the rows `f`, in the order of their keys. The range is one of that day, so one partition is
 * read. A device's fixes are one stretch of its index, read no further than the limit; those of several are merged.
 *
 * In each the stretch begins after the key of the row that was read last, by this order: so of its moment it begins at
 * the end in a track before that row's, at the beginning in a track after.
 */
export const fixesOfDay = `(
      select p.recorded_at, p.track_key, p.lat, p.lon, p.received_lag_centiseconds, p.accuracy_cm, p.speed_cm_per_s,
        p.heading_tenths, p.flags
      from unnest($1::int4[]) t (track_key) cross join lateral (
        select * from driver_location_pings p
        where p.track_key = t.track_key and p.recorded_at >= $2::timestamptz and p.recorded_at < $3::timestamptz
          and (ping_ms(p.recorded_at), p.lat, p.lon) > (ping_ms($2::timestamptz),
            case when t.track_key < $4::int4 then 2147483647 when t.track_key = $4 then $5::int4 else -2147483648 end,
            case when t.track_key < $4::int4 then 2147483647 when t.track_key = $4 then $6::int4 else -2147483648 end)
          and ping_ms(p.recorded_at) <= ping_ms($3::timestamptz - interval '1 millisecond')
        order by ping_ms(p.recorded_at), p.lat, p.lon limit $7
      ) p
      order by p.recorded_at, p.track_key, p.lat, p.lon limit $7
    ) f`;

export interface TrackDays {
  /** The names of the driver's devices by the keys of their tracks. */
  readonly devices: ReadonlyMap<number, string>;
  /** UTC days of the range that have a partition, in their order. */
  readonly days: readonly string[];
}

const openTrackStatement: Statement = {
  name: 'open_driver_track',
  text: `select array(select to_char(p.day, 'YYYY-MM-DD') from ping_partitions p
        where p.day >= ($2::timestamptz at time zone 'utc')::date and p.day <= ($3::timestamptz at time zone 'utc')::date
        order by p.day) as days,
      (select coalesce(json_agg(json_build_array(t.track_key, t.device)), '[]') from ping_tracks t
        where t.driver_id = $1) as devices`,
};

/** Where the driver's fixes of the range lie; no days when there can be none. */
export async function openTrack(db: Queryable, { driverId, fromMs, toMs }: TrackRange): Promise<TrackDays> {
  const { rows } = await db.query<{ days: readonly string[]; devices: readonly (readonly [number, string])[] }>(
    openTrackStatement,
    [driverId, new Date(fromMs).toISOString(), new Date(toMs - 1).toISOString()],
  );
  const devices = new Map(rows[0]?.devices);
  return { devices, days: devices.size === 0 ? [] : (rows[0]?.days ?? []) };
}

const dayMs = 86_400_000;
/** Before every key. */
const keyMin = -(2 ** 31);

/** The values for `fixesOfDay`; undefined when the day ends before what is to be read begins. */
export function toDayValues(
  { fromMs, toMs }: TrackRange,
  {
    day,
    devices,
    after,
    limit,
  }: {
    readonly day: string;
    readonly devices: ReadonlyMap<number, string>;
    readonly after: TrackKey | undefined;
    readonly limit: number;
  },
): readonly SqlValue[] | undefined {
  const dayBeginMs = Date.parse(`${day}T00:00:00Z`);
  const beginMs = Math.max(dayBeginMs, fromMs);
  const endMs = Math.min(dayBeginMs + dayMs, toMs);
  const afterMs = after === undefined ? Number.NEGATIVE_INFINITY : Date.parse(after.recordedAt);
  if (Math.max(beginMs, afterMs) >= endMs) return undefined;
  // A cursor of before the range does not widen it.
  const start = afterMs < beginMs ? undefined : after;
  return [
    [...devices.keys()],
    start?.recordedAt ?? new Date(beginMs).toISOString(),
    new Date(endMs).toISOString(),
    start?.trackKey ?? keyMin,
    start?.latE7 ?? keyMin,
    start?.lonE7 ?? keyMin,
    limit,
  ];
}
