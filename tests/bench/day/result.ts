import { loadavg } from 'node:os';
import { median, type BenchResult, type Verdict } from '../report.ts';
import type { Crowd } from './api.ts';
import type { SimulatedDriver } from './driver.ts';
import { endedOf, openOf, type State } from './state.ts';

export interface Day {
  readonly end: State;
  /** After each hour. */
  readonly seen: readonly State[];
  readonly booked: number;
  readonly seconds: number;
  readonly crowd: Crowd;
  readonly fleet: readonly SimulatedDriver[];
  readonly recorded: number;
  readonly failures: readonly string[];
}

/** Business hours have one rate: what waits after the early ones and after the late ones is the same, or it grows. */
const early = [9, 13] as const;
const late = [14, 18] as const;
/** What may wait at any moment, in jobs and events. */
const waitingSlack = 50;

export function toResult(day: Day): BenchResult {
  const { end, booked, seconds, crowd, fleet, recorded, failures, seen } = day;
  for (const failure of failures.slice(0, 5)) console.error(failure);
  return {
    bench: 'day',
    unit: 'orders ended',
    ours: endedOf(end),
    baseline: booked,
    ratio: endedOf(end) / booked,
    figures: {
      completed: end.byStatus['completed'] ?? 0,
      cancelled: end.byStatus['cancelled'] ?? 0,
      jobs_waiting_max: Math.max(...seen.map(({ jobs }) => jobs)),
      outbox_waiting_max: Math.max(...seen.map(({ outbox }) => outbox)),
      seconds,
      orders_per_s: booked / seconds,
      requests: crowd.requests,
      requests_repeated: crowd.repeated,
      fixes: fleet.reduce((sum, driver) => sum + driver.fixes, 0),
      drivers: fleet.length,
      drivers_on_recorded_routes: recorded,
      load_average_after: loadavg()[0] ?? 0,
    },
    verdicts: judge(day),
  };
}

function judge({ end, booked, seen, failures }: Day): readonly Verdict[] {
  const waitingAfter = ([from, to]: readonly [number, number]): number =>
    median(seen.slice(from, to).map(({ jobs, outbox }) => jobs + outbox));
  const openAfter = ([from, to]: readonly [number, number]): number => median(seen.slice(from, to).map(openOf));
  const grown = (of: (hours: readonly [number, number]) => number): Pick<Verdict, 'value' | 'holds'> => ({
    value: of(late) - of(early),
    holds: of(late) <= 2 * of(early) + waitingSlack,
  });
  const none = (what: string, value: number): Verdict => ({ what, value, holds: value === 0 });
  return [
    { what: 'every booked order has ended', value: endedOf(end), holds: endedOf(end) === booked && openOf(end) === 0 },
    none('the ledger sums to zero', end.ledger),
    none('no job was given up', end.dead),
    none('no answer was another than it may be', failures.length),
    { what: 'jobs and events that wait do not grow in business hours', ...grown(waitingAfter) },
    { what: 'open orders do not grow in business hours', ...grown(openAfter) },
  ];
}
