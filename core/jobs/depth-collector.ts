import type pg from 'pg';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { isDeadLetterQueue } from './queue-names.ts';
import { readOnly } from './read-only.ts';

export interface DepthCollectorOptions {
  readonly pool: pg.Pool;
  readonly telemetry: Telemetry;
  /** A reading this old is still good enough. @default 10_000 */
  readonly cacheMs?: number;
  /** @default Date.now */
  readonly now?: () => number;
}

interface DepthRow {
  readonly queue: string;
  readonly state: string;
  readonly jobs: number;
  readonly oldestSeconds: number | null;
}

/** Jobs looked at in one reading; beyond this a depth reads as this. */
const jobsMax = 100_000;
const statementTimeoutMs = 2000;

const readDepths = `select name as queue, state, count(*)::int as jobs, max(age) as "oldestSeconds"
  from (
    select name,
      case when state = 'active' then 'active' when start_after > now() then 'deferred' else 'queued' end as state,
      case when state < 'active' and start_after <= now()
        then extract(epoch from now() - start_after)::float8 end as age
    from pgboss.job where state < 'completed' and name not like '\\_\\_pgboss%' limit ${jobsMax}
  ) jobs group by name, jobs.state`;

const readOutbox = `select count(*)::int as rows,
    coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "oldestSeconds"
  from (select created_at from returnit.outbox order by position limit ${jobsMax}) outbox`;

/** Sets the gauges of queues and outbox before a scrape, which fails as a collector does. @returns how to stop */
export function startDepthCollector(options: DepthCollectorOptions): () => void {
  const { pool, telemetry, cacheMs = 10_000, now = Date.now } = options;
  const { metrics } = telemetry;
  const seen = new Map<string, Set<string>>();
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    const { depths, outbox } = await readAll(pool);
    // What is empty now has no row: it reads 0 from then on.
    for (const [queue, states] of seen) {
      for (const state of states) metrics.gauge('returnit_job_queue_depth').set({ queue, state }, 0);
      metrics.gauge('returnit_job_oldest_age_seconds').set({ queue }, 0);
    }
    for (const depth of depths.map(toReported)) {
      const { queue, state, jobs, oldestSeconds } = depth;
      if (!seen.has(queue)) {
        seen.set(queue, new Set());
        metrics.gauge('returnit_job_oldest_age_seconds').set({ queue }, 0);
      }
      seen.get(queue)?.add(state);
      metrics.gauge('returnit_job_queue_depth').set({ queue, state }, jobs);
      if (state === 'queued') metrics.gauge('returnit_job_oldest_age_seconds').set({ queue }, oldestSeconds ?? 0);
    }
    metrics.gauge('returnit_outbox_depth').set({}, outbox?.rows ?? 0);
    metrics.gauge('returnit_outbox_oldest_age_seconds').set({}, outbox?.oldestSeconds ?? 0);
    readAt = now();
  };

  return metrics.onCollect(() => {
    if (now() - readAt < cacheMs) return undefined;
    // A failure is the collectors' to log and to count: what is read here goes on looking well.
    reading ??= read()
      .catch((error: unknown) => {
        throw new Error('Cannot read queue depths', { cause: error });
      })
      .finally(() => (reading = undefined));
    return reading;
  });
}

/** What lies in `<queue>.dead` are the failed jobs of `<queue>`. */
function toReported(row: DepthRow): DepthRow {
  if (!isDeadLetterQueue(row.queue)) return row;
  return { ...row, queue: row.queue.slice(0, -'.dead'.length), state: 'failed' };
}

async function readAll(
  pool: pg.Pool,
): Promise<{ depths: readonly DepthRow[]; outbox: { rows: number; oldestSeconds: number } | undefined }> {
  return readOnly(pool, { statementTimeoutMs }, async (client) => {
    const depths = await client.query<DepthRow>(readDepths);
    const outbox = await client.query<{ rows: number; oldestSeconds: number }>(readOutbox);
    return { depths: depths.rows, outbox: outbox.rows[0] };
  });
}
