/** What the queues hold, for who operates them: nothing here changes a job. */
import type pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';
import { readEnvelope } from './job-envelope.ts';
import { expirySlackSeconds } from './queues.ts';
import { isUuid } from './job-id.ts';
import { readOnly } from './read-only.ts';

export interface QueueState {
  readonly queue: string;
  /** Ready to run, and waiting for their time. */
  readonly queued: number;
  readonly deferred: number;
  readonly active: number;
  /** Of the active ones: past their deadline. */
  readonly overdue: number;
  /** In the dead-letter queue. */
  readonly failed: number;
  /** How long the oldest one that could run has waited. */
  readonly oldestSeconds: number | null;
}

export interface InspectedJob {
  readonly id: string;
  readonly queue: string;
  /** `dead` is a dead letter; the others are pg-boss's. */
  readonly state: 'created' | 'retry' | 'active' | 'completed' | 'cancelled' | 'failed' | 'dead';
  readonly data: unknown;
  readonly error: unknown;
  readonly attempts: number;
  readonly traceId: string | null;
  readonly sentAt: Date;
  readonly startedAt: Date | null;
  /** Of an active job: when its handler is cut off. */
  readonly deadlineAt: Date | null;
  /** When it was done, or became a dead letter. */
  readonly endedAt: Date | null;
}

export interface JobInspection {
  queues(): Promise<readonly QueueState[]>;
  /** Active jobs past their deadline, the longest first: their worker is stuck, or went away without a word. */
  overdue(limit: number): Promise<readonly InspectedJob[]>;
  /** @throws {AppError} NOT_FOUND */
  find(id: string): Promise<InspectedJob>;
}

const statementTimeoutMs = 5000;

const readQueues = `select q.name as queue,
    count(j.id) filter (where j.state < 'active' and j.start_after <= now())::int as queued,
    count(j.id) filter (where j.state < 'active' and j.start_after > now())::int as deferred,
    count(j.id) filter (where j.state = 'active')::int as active,
    count(j.id) filter (where j.state = 'active'
      and j.started_on + (j.expire_seconds - ${expirySlackSeconds}) * interval '1 second' < now())::int as overdue,
    (select count(*)::int from pgboss.job d where d.name = q.dead_letter and d.state = 'created') as failed,
    extract(epoch from now() - min(j.start_after) filter (where j.state < 'active' and j.start_after <= now()))::float8
      as "oldestSeconds"
  from pgboss.queue q left join pgboss.job j on j.name = q.name and j.state < 'completed'
  where q.name not like '\\_\\_pgboss%' and q.dead_letter is not null
  group by q.name, q.dead_letter order by q.name`;

interface JobRow {
  readonly id: string;
  readonly queue: string;
  readonly state: InspectedJob['state'];
  readonly data: unknown;
  readonly error: unknown;
  readonly attempts: number;
  readonly sentAt: Date;
  readonly startedAt: Date | null;
  readonly deadlineAt: Date | null;
  readonly endedAt: Date | null;
}

const columns = `id, case when name = source_name || '.dead' then source_name else name end as queue,
  case when name = source_name || '.dead' and state = 'created' then 'dead' else state::text end as state,
  data, coalesce(output, source_output) as error,
  case when name = source_name || '.dead' then source_retry_count else retry_count end + 1 as attempts,
  coalesce(source_created_on, created_on) as "sentAt", started_on as "startedAt",
  case when state = 'active' then started_on + (expire_seconds - ${expirySlackSeconds}) * interval '1 second' end as "deadlineAt",
  coalesce(completed_on, case when name = source_name || '.dead' then created_on end) as "endedAt"`;

export function createJobInspection(pool: pg.Pool): JobInspection {
  const read = <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> =>
    readOnly(pool, { statementTimeoutMs }, async (client) => (await client.query<Row>(text, values)).rows);
  return {
    queues: () => read<QueueState & pg.QueryResultRow>(readQueues),
    async overdue(limit) {
      const rows = await read<JobRow>(
        `select ${columns} from pgboss.job
         where state = 'active' and started_on + (expire_seconds - ${expirySlackSeconds}) * interval '1 second' < now()
         order by started_on limit $1`,
        [limit],
      );
      return rows.map(toJob);
    },
    async find(id) {
      const [row] = isUuid(id) ? await read<JobRow>(`select ${columns} from pgboss.job where id = $1`, [id]) : [];
      if (row === undefined) throw new AppError('NOT_FOUND', `Cannot find job "${id}": there is none with this id`);
      return toJob(row);
    },
  };
}

function toJob(row: JobRow): InspectedJob {
  const { data, traceparent } = readEnvelope(row.data);
  return { ...row, data, traceId: traceparent?.split('-')[1] ?? null };
}
