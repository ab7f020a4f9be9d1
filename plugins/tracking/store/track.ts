import type { Queryable, Statement } from '#plugin-api';

/** What tells a driver's fixes apart, in the order of reading. Integers as they are stored, so that they are exact. */
export interface TrackKey {
  /** ISO 8601 in UTC with milliseconds. */
  readonly recordedAt: string;
  readonly deviceKey: number;
  /** Degrees times 10^7. */
  readonly latE7: number;
  readonly lonE7: number;
}

export interface TrackPoint {
  readonly key: TrackKey;
  readonly device: string;
  /** ISO 8601 in UTC with milliseconds. */
  readonly recordedAt: string;
  readonly lat: number;
  readonly lon: number;
  readonly accuracyM: number | null;
  readonly speedMps: number | null;
  readonly headingDeg: number | null;
  readonly receivedAt: string;
  /** 1 inaccurate, 2 impossible speed. */
  readonly flags: number;
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

/** Before every key of its time. */
const keyMin = -(2 ** 31);

/*
 * A first page begins after a key that is before all of its time, so that first and later pages are one statement whose
 * whole condition is one stretch of the index. The lower bound on the time stands there once more, for the choice of
 * partitions looks at single columns only.
 */
const readTrackStatement: Statement = {
  name: 'read_driver_track',
  text: `select p.recorded_at as "recordedAt", p.device_key as "deviceKey", p.lat as "latE7", p.lon as "lonE7",
      (select d.device from ping_devices d where d.device_key = p.device_key) as device,
      p.accuracy_cm as "accuracyCm", p.speed_cm_per_s as "speedCmPerS", p.heading_tenths as "headingTenths",
      p.recorded_at + p.received_lag_centiseconds * interval '10 milliseconds' as "receivedAt", p.flags
    from driver_location_pings p
    where p.driver_key = (select k.driver_key from ping_drivers k where k.driver_id = $1)
      and p.recorded_at >= $2::timestamptz and p.recorded_at < $3::timestamptz
      and (p.recorded_at, p.device_key, p.lat, p.lon) > ($2::timestamptz, $4::int4, $5::int4, $6::int4)
    order by p.recorded_at, p.device_key, p.lat, p.lon limit $7`,
};

interface TrackRow {
  readonly recordedAt: string;
  readonly deviceKey: number;
  readonly latE7: number;
  readonly lonE7: number;
  readonly device: string;
  readonly accuracyCm: number;
  readonly speedCmPerS: number;
  readonly headingTenths: number;
  readonly receivedAt: string;
  readonly flags: number;
}

/** A driver's fixes of a time range in the order of their times, from the index, a page at a time. */
export async function readTrack(db: Queryable, range: TrackRange): Promise<readonly TrackPoint[]> {
  const { driverId, fromMs, toMs, afterCursor: after, limit } = range;
  const from = new Date(fromMs).toISOString();
  // A cursor of before the range does not widen it.
  const start = after === undefined || after.recordedAt < from ? undefined : after;
  const { rows } = await db.query<TrackRow>(readTrackStatement, [
    driverId,
    start?.recordedAt ?? from,
    new Date(toMs).toISOString(),
    start?.deviceKey ?? keyMin,
    start?.latE7 ?? keyMin,
    start?.lonE7 ?? keyMin,
    limit,
  ]);
  return rows.map(toPoint);
}

function toPoint(row: TrackRow): TrackPoint {
  const { recordedAt, deviceKey, latE7, lonE7, device, receivedAt, flags } = row;
  return {
    key: { recordedAt, deviceKey, latE7, lonE7 },
    device,
    recordedAt,
    lat: latE7 / 1e7,
    lon: lonE7 / 1e7,
    accuracyM: known(row.accuracyCm, 100),
    speedMps: known(row.speedCmPerS, 100),
    headingDeg: known(row.headingTenths, 10),
    receivedAt,
    flags,
  };
}

/** What is not known is stored as -1. */
const known = (value: number, scale: number): number | null => (value < 0 ? null : value / scale);
