import type { Queryable, Statement } from '#plugin-api';
import { createTraceBuilder, type Trace } from '../trace.ts';
import type { TrackRange } from './track.ts';

/** Before every key of its time. */
const keyMin = -(2 ** 31);
/** Some 500 KB of text: the core passes it on in one frame without looking at it twice. */
const pageRows = 8000;

/*
 * The same stretch of the index as a page of the track, as one text of numbers: so a row costs the core nothing, where
 * ten values of it in an object cost it more than they cost the database.
 */
const readTraceStatement: Statement = {
  name: 'read_driver_trace',
  text: `select count(*)::int as rows, string_agg(concat_ws(',', (date_part('epoch', f.recorded_at) * 1000)::int8, f.device_key,
      f.lat, f.lon, f.accuracy_cm, f.speed_cm_per_s, f.heading_tenths, f.received_lag_centiseconds, f.flags), ';') as fixes
    from (
      select p.recorded_at, p.device_key, p.lat, p.lon, p.accuracy_cm, p.speed_cm_per_s, p.heading_tenths,
        p.received_lag_centiseconds, p.flags
      from driver_location_pings p
      where p.driver_key = (select k.driver_key from ping_drivers k where k.driver_id = $1)
        and p.recorded_at >= $2::timestamptz and p.recorded_at < $3::timestamptz
        and (p.recorded_at, p.device_key, p.lat, p.lon) > ($2::timestamptz, $4::int4, $5::int4, $6::int4)
      order by p.recorded_at, p.device_key, p.lat, p.lon limit $7
    ) f`,
};

const listDevicesStatement: Statement = {
  name: 'list_ping_devices',
  text: 'select device_key as "deviceKey", device from ping_devices where device_key = any($1::int4[])',
};

export interface TraceRead {
  readonly trace: Trace;
  /** There are more fixes in the range than the limit. */
  readonly hasMore: boolean;
}

/** A driver's fixes of a time range in the order of their times, at most `limit`, read in pages. */
export async function readTrace(db: Queryable, range: TrackRange): Promise<TraceRead> {
  const { driverId, fromMs, toMs, limit } = range;
  const from = new Date(fromMs).toISOString();
  const to = new Date(toMs).toISOString();
  const builder = createTraceBuilder(Math.min(limit + 2, 2 * pageRows));
  // A cursor of before the range does not widen it.
  let after = range.afterCursor === undefined || range.afterCursor.recordedAt < from ? undefined : range.afterCursor;
  for (;;) {
    const rowsMax = Math.min(pageRows, limit + 1 - builder.length);
    if (rowsMax <= 0) break;
    const { rows } = await db.query<{ rows: number; fixes: string | null }>(readTraceStatement, [
      driverId,
      after?.recordedAt ?? from,
      to,
      after?.deviceKey ?? keyMin,
      after?.latE7 ?? keyMin,
      after?.lonE7 ?? keyMin,
      rowsMax,
    ]);
    const [page] = rows;
    if (page === undefined || page.fixes === null) break;
    builder.add(page.fixes);
    after = builder.lastKey();
    if (page.rows < rowsMax) break;
  }
  const { rows: devices } = await db.query<{ deviceKey: number; device: string }>(listDevicesStatement, [
    builder.deviceKeys(),
  ]);
  const names = new Map(devices.map(({ deviceKey, device }) => [deviceKey, device]));
  return { trace: builder.finish(limit, names), hasMore: builder.length > limit };
}
