import type { Queryable, Statement } from '#plugin-api';
import { fixesOfDay, openTrack, toDayValues, type TrackKey, type TrackRange } from './track-days.ts';

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

const readTrackStatement: Statement = {
  name: 'read_driver_track',
  text: `select f.recorded_at as "recordedAt", f.track_key as "trackKey", f.lat as "latE7", f.lon as "lonE7",
      f.accuracy_cm as "accuracyCm", f.speed_cm_per_s as "speedCmPerS", f.heading_tenths as "headingTenths",
      f.recorded_at + f.received_lag_centiseconds * interval '10 milliseconds' as "receivedAt", f.flags
    from ${fixesOfDay}
    order by f.recorded_at, f.track_key, f.lat, f.lon`,
};

interface TrackRow extends TrackKey {
  readonly accuracyCm: number;
  readonly speedCmPerS: number;
  readonly headingTenths: number;
  readonly receivedAt: string;
  readonly flags: number;
}

/** A driver's fixes of a time range in the order of their times, from the index, a page at a time. */
export async function readTrack(db: Queryable, range: TrackRange): Promise<readonly TrackPoint[]> {
  const { devices, days } = await openTrack(db, range);
  const points: TrackPoint[] = [];
  for (const day of days) {
    const limit = range.limit - points.length;
    if (limit <= 0) break;
    const values = toDayValues(range, { day, devices, after: range.afterCursor, limit });
    if (values === undefined) continue;
    const { rows } = await db.query<TrackRow>(readTrackStatement, values);
    for (const row of rows) points.push(toPoint(row, devices));
  }
  return points;
}

function toPoint(row: TrackRow, devices: ReadonlyMap<number, string>): TrackPoint {
  const { recordedAt, trackKey, latE7, lonE7, receivedAt, flags } = row;
  return {
    key: { recordedAt, trackKey, latE7, lonE7 },
    device: devices.get(trackKey) ?? 'default',
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
