import type { Queryable, Statement } from '#plugin-api';
import { createTraceBuilder, type Trace } from '../trace.ts';
import { fixesOfDay, openTrack, toDayValues, type TrackRange } from './track-days.ts';

/** Some 500 KB of text: the core passes it on in one frame without looking at it twice. */
const pageRows = 8000;

/*
 * The same stretch of the index as a page of the track, as one text of numbers: so a row costs the core nothing, where
 * ten values of it in an object cost it more than they cost the database.
 */
const readTraceStatement: Statement = {
  name: 'read_driver_trace',
  text: `select count(*)::int as rows, string_agg(concat_ws(',', (date_part('epoch', f.recorded_at) * 1000)::int8, f.track_key,
      f.lat, f.lon, f.accuracy_cm, f.speed_cm_per_s, f.heading_tenths, f.received_lag_centiseconds, f.flags), ';'
      order by f.recorded_at, f.track_key, f.lat, f.lon) as fixes
    from ${fixesOfDay}`,
};

export interface TraceRead {
  readonly trace: Trace;
  /** There are more fixes in the range than the limit. */
  readonly hasMore: boolean;
}

/** A driver's fixes of a time range in the order of their times, at most `limit`, read in pages. */
export async function readTrace(db: Queryable, range: TrackRange): Promise<TraceRead> {
  const { limit } = range;
  const { devices, days } = await openTrack(db, range);
  const builder = createTraceBuilder(Math.min(limit + 2, 2 * pageRows));
  for (const day of days) {
    for (;;) {
      const rowsMax = Math.min(pageRows, limit + 1 - builder.length);
      const after = builder.lastKey() ?? range.afterCursor;
      const values = rowsMax <= 0 ? undefined : toDayValues(range, { day, devices, after, limit: rowsMax });
      if (values === undefined) break;
      const { rows } = await db.query<{ rows: number; fixes: string | null }>(readTraceStatement, values);
      const [page] = rows;
      if (page === undefined || page.fixes === null) break;
      builder.add(page.fixes);
      if (page.rows < rowsMax) break;
    }
  }
  return { trace: builder.finish(limit, devices), hasMore: builder.length > limit };
}
