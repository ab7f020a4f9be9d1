import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { until } from '../../support/until.ts';
import { percentile } from '../report.ts';
import { assignMaxMs } from './flat-out.ts';
import type { Client, Rate, Traffic } from './traffic.ts';

export interface Mixed {
  readonly traffic: Traffic;
  readonly bookings: number;
  readonly assigned: number;
  readonly assignedP50Ms: number;
  readonly assignedP99Ms: number;
}

const pollMs = 500;

/** Mixed traffic at a fixed rate, and then until no order that it booked waits for a driver. */
export async function runMixed(connection: pg.Client, client: Client, rate: Rate): Promise<Mixed> {
  const { rows: clock } = await connection.query<{ now: Date }>('select clock_timestamp() as now');
  const traffic = await client.run(rate);
  if (traffic.failures.length > 0) {
    throw new Error(`${traffic.failures.length} requests failed, such as: ${traffic.failures[0] ?? ''}`);
  }
  return until(
    'no order waits for a driver',
    async () => {
      const { open, ...figures } = await readAssignments(connection, clock[0]?.now ?? new Date());
      return open === 0 ? { traffic, ...figures } : wait(pollMs, false);
    },
    assignMaxMs,
  );
}

interface Assignments extends Omit<Mixed, 'traffic'> {
  readonly open: number;
}

/** By the times that the orders' own history has. One that was cancelled before it had a driver counts as a booking alone. */
async function readAssignments(connection: pg.Client, since: Date): Promise<Assignments> {
  const { rows } = await connection.query<Assignments>(
    `with waited as (
      select o.status, (
          select min(h.occurred_at) from orders.order_history h
          where h.order_id = o.order_id and h.to_status = 'assigned') - o.created_at as waited
      from orders.orders o where o.created_at >= $1)
    select count(*)::int as bookings, count(waited)::int as assigned,
      count(*) filter (where status in ('created', 'scheduled'))::int as open,
      coalesce(percentile_cont(0.5) within group (order by extract(epoch from waited) * 1000), 0) as "assignedP50Ms",
      coalesce(percentile_cont(0.99) within group (order by extract(epoch from waited) * 1000), 0) as "assignedP99Ms"
    from waited`,
    [since],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('Cannot read the assignments');
  return row;
}

export function toFigures(prefix: string, mixed: Mixed): Record<string, number> {
  const { traffic } = mixed;
  const figures = Object.entries(traffic.latenciesMs).flatMap(([kind, latencies]) => [
    [`${prefix}_${kind}_p50_ms`, percentile(latencies, 50)],
    [`${prefix}_${kind}_p99_ms`, percentile(latencies, 99)],
  ]);
  return {
    [`${prefix}_answered_per_s`]: traffic.answeredPerSecond,
    [`${prefix}_turned_away`]: traffic.turnedAway,
    [`${prefix}_bookings`]: mixed.bookings,
    [`${prefix}_assigned`]: mixed.assigned,
    ...(Object.fromEntries(figures) as Record<string, number>),
    [`${prefix}_booked_to_assigned_p50_ms`]: mixed.assignedP50Ms,
    [`${prefix}_booked_to_assigned_p99_ms`]: mixed.assignedP99Ms,
  };
}
