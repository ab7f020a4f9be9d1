const dayMs = 86_400_000;

/** Days beyond today whose partitions are made before they are needed. */
const daysAhead = 3;

/** What waits in a batch, and a clock that is a little off, still finds its day. */
const graceMs = 3_600_000;

/** The UTC day of an ISO 8601 time in UTC, such as `2026-05-04`. */
export function toDay(time: string): string {
  return time.slice(0, 10);
}

/** Today and the days ahead. UTC has no daylight saving: each is 24 hours after the one before. */
export function daysToMake(nowMs: number): readonly string[] {
  return Array.from({ length: daysAhead + 1 }, (_, index) => toDay(new Date(nowMs + index * dayMs).toISOString()));
}

/** The first day of which a fix may still be taken; what is before it may go. */
export function oldestDayToKeep(nowMs: number, retentionMs: number): string {
  return toDay(new Date(nowMs - retentionMs - graceMs).toISOString());
}
