import type { QuietHours } from './person.ts';

/**
 * When the quiet hours that it is in end, in milliseconds since the epoch; null when it is in none. Hours are those of the
 * wall clock: a night in which clocks are changed is an hour shorter or longer, and an end that does not exist is as much
 * later as was left out.
 */
export function quietUntil(nowMs: number, quiet: QuietHours, timeZone: string): number | null {
  const now = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone);
  const start = Temporal.PlainTime.from(quiet.start);
  const end = Temporal.PlainTime.from(quiet.end);
  const time = now.toPlainTime();
  const isFromStart = Temporal.PlainTime.compare(time, start) >= 0;
  const isBeforeEnd = Temporal.PlainTime.compare(time, end) < 0;
  const overMidnight = Temporal.PlainTime.compare(start, end) > 0;
  if (overMidnight ? !isFromStart && !isBeforeEnd : !isFromStart || !isBeforeEnd) return null;
  const day = isBeforeEnd ? now.toPlainDate() : now.toPlainDate().add({ days: 1 });
  const ends = (disambiguation: 'compatible' | 'later'): number =>
    day.toPlainDateTime(end).toZonedDateTime(timeZone, { disambiguation }).epochMilliseconds;
  const first = ends('compatible');
  // In the hour that comes twice, an end that has passed comes again.
  return first > nowMs ? first : ends('later');
}
