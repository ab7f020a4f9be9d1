import type { Recording } from './alert.ts';

/**
 * 1 in daylight saving time, 0 otherwise: from the second Sunday in March to the first in November. The change is taken at
 * midnight UTC and not at two at night. The last Sunday was on the day of the month less the day of the week.
 */
const summer = [
  '(month() > bool 3) * (month() < bool 11)',
  '(month() == bool 3) * (day_of_month() - day_of_week() >= bool 8)',
  '(month() == bool 11) * (day_of_month() - day_of_week() < bool 1)',
].join(' + ');

/** Seconds of a clock on a wall there: PromQL knows UTC alone. */
const local = `vector(time()) - 3600 * (5 - (${summer}))`;

/** What time it is in New York. */
export const newYork: readonly Recording[] = [
  { record: 'newyork:clock:hours', expr: `hour(${local}) + minute(${local}) / 60` },
  // 0 is Sunday.
  { record: 'newyork:clock:weekday', expr: `day_of_week(${local})` },
];
