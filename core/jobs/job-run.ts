import { SpanKind } from '@opentelemetry/api';
import type pg from 'pg';
import type { JobWithMetadata, PgBoss } from 'pg-boss';
import { AppError } from '#core/errors/app-error.ts';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { currentTraceparent, withSpan, withTraceparent } from '#core/telemetry/tracing.ts';
import type { Attempt } from './completion.ts';
import { readEnvelope } from './job-envelope.ts';
import { logJob, type JobLogSource, type LoggedJob } from './job-log.ts';

export interface WorkedJob {
  readonly id: string;
  readonly queue: string;
  readonly data: unknown;
  /** 1 at the first. */
  readonly attempt: number;
}

/** What is needed of a job that was claimed. */
export type ClaimedJob = Pick<
  JobWithMetadata<unknown>,
  'id' | 'name' | 'data' | 'retryCount' | 'retryLimit' | 'startAfter' | 'startedOn' | 'createdOn'
>;

export interface WorkerDeps {
  readonly boss: PgBoss;
  readonly pool: pg.Pool;
  readonly config: Pick<Config, 'jobBatchWaitMs' | 'jobHeartbeatSeconds'>;
  readonly telemetry: Telemetry;
}

/** `plugin`: whose process works; `core` for the core's own jobs. */
export interface JobSource extends JobLogSource {
  /** Aborted when the plugin's process is gone: nothing is fetched from then on. */
  readonly gone: AbortSignal;
  /** Resolves with what else stands in the line about the job, if anything. */
  readonly handle: (job: WorkedJob) => Promise<Readonly<Record<string, unknown>> | void>;
}

/** How an attempt ends, as it is counted. */
export const jobOutcomes = ['completed', 'retried', 'dead_letter'] as const;

export interface Claim {
  readonly job: ClaimedJob;
  /** Called when the handler has ended, however it did. */
  readonly handled: () => void;
  /** Writes that it is done. */
  readonly complete: (attempt: Attempt) => Promise<void>;
  /** True when the claim was given back while the handler ran: then nothing is settled, another may hold it. */
  readonly isAbandoned: () => boolean;
}

/** Runs one attempt and settles it. A claim that was never handed to the plugin goes back without costing an attempt. */
export async function runJob(deps: WorkerDeps, source: JobSource, claim: Claim): Promise<void> {
  const { boss } = deps;
  const { metrics, logger } = deps.telemetry;
  const { queue, plugin } = source;
  const { job } = claim;
  if (source.gone.aborted) return giveBack(deps.pool, job);
  const waitedMs = Math.max(0, job.startedOn.getTime() - Math.max(job.startAfter.getTime(), job.createdOn.getTime()));
  const startedAt = performance.now();
  const ended = await attempt(source, job, () =>
    metrics.histogram('returnit_job_wait_seconds').observe({ plugin, queue }, waitedMs / 1000),
  );
  claim.handled();
  const { failure } = ended;
  const log = (outcome: string): void =>
    withTraceparent(ended.traceparent, () =>
      logJob(logger, source, { job, outcome, waitedMs, durationMs: performance.now() - startedAt, ...ended }),
    );
  if (claim.isAbandoned()) return log('abandoned');
  const settled = { id: job.id, retryCount: job.retryCount };
  let outcome: (typeof jobOutcomes)[number] = 'completed';
  if (failure === undefined) {
    await claim.complete(settled);
    metrics.gauge('returnit_job_last_success_timestamp_seconds').set({ queue }, Date.now() / 1000);
  } else {
    outcome = job.retryCount < job.retryLimit ? 'retried' : 'dead_letter';
    await boss.fail(queue, settled, toOutput(failure.error));
  }
  log(outcome);
  metrics.counter('returnit_jobs_total').inc({ plugin, queue, outcome });
  const seconds = (performance.now() - startedAt) / 1000;
  withTraceparent(ended.traceparent, () =>
    metrics.histogram('returnit_job_duration_seconds').observe({ plugin, queue, outcome }, seconds),
  );
}

/** How an attempt ended. */
interface EndedAttempt extends Pick<LoggedJob, 'failure' | 'added'> {
  /** Of the attempt's span. */
  readonly traceparent: string | undefined;
}

/** @param began is called in the attempt's span */
async function attempt(
  { queue, plugin, handle }: JobSource,
  job: ClaimedJob,
  began: () => void,
): Promise<EndedAttempt> {
  const { data, traceparent } = readEnvelope(job.data);
  const number = job.retryCount + 1;
  let own: string | undefined;
  try {
    const added = await withSpan(
      `process ${queue}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          'messaging.system': 'pg_boss',
          'messaging.destination.name': queue,
          'messaging.message.id': job.id,
          'returnit.plugin': plugin,
          'returnit.job.attempt': number,
        },
        ...(traceparent === null ? {} : { parent: traceparent }),
      },
      () => {
        own = currentTraceparent();
        began();
        return handle({ id: job.id, queue, data, attempt: number });
      },
    );
    return { failure: undefined, added: added ?? {}, traceparent: own };
  } catch (error) {
    return { failure: { error }, added: {}, traceparent: own };
  }
}

/** Fenced to the attempt: whoever holds the job meanwhile keeps it. */
export async function giveBack(pool: pg.Pool, job: ClaimedJob): Promise<void> {
  await pool.query(
    `update pgboss.job set state = 'created', started_on = null, heartbeat_on = null
     where name = $1 and id = $2 and state = 'active' and retry_count = $3`,
    [job.name, job.id, job.retryCount],
  );
}

/** What is stored beside a failed job, for whoever looks at the dead letters. */
function toOutput(error: unknown): object {
  if (error instanceof AppError) return { code: error.code, message: error.message, details: error.details };
  return { message: error instanceof Error ? error.message : String(error) };
}
