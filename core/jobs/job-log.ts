import { AppError } from '#core/errors/app-error.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import { idsOf, toLoggedMs, wideEvent } from '#core/telemetry/wide-event.ts';
import { readEnvelope } from './job-envelope.ts';

/** Whose jobs. */
export interface JobLogSource {
  readonly plugin: string;
  readonly queue: string;
  /** What the line about a job says of its data. @default its ids */
  readonly describe?: (data: unknown) => Readonly<Record<string, unknown>>;
}

export interface LoggedJob {
  readonly job: { readonly id: string; readonly data: unknown; readonly retryCount: number };
  readonly failure: { readonly error: unknown } | undefined;
  /** What the handler adds to the line about the job. */
  readonly added: Readonly<Record<string, unknown>>;
  /** `completed`, `retried`, `dead_letter`, or `abandoned`: its node stopped, and another does it. */
  readonly outcome: string;
  readonly waitedMs: number;
  readonly durationMs: number;
}

/** What nobody will try again needs somebody; what is done is written for whoever asks. */
const lines: Readonly<Record<string, readonly ['debug' | 'info' | 'warn' | 'error', string]>> = {
  completed: ['debug', 'Job done'],
  abandoned: ['info', 'Job given back: its node stops'],
  retried: ['warn', 'Job failed: it is retried'],
  dead_letter: ['error', 'Job failed for the last time'],
};

/** Made once for each source: a job costs no logger. */
const loggers = new WeakMap<JobLogSource, Logger>();

/** The one line about an attempt of a job, or about a delivery of an event, which is one too. */
export function logJob(logger: Logger, source: JobLogSource, logged: LoggedJob): void {
  const { plugin, queue, describe = idsOf } = source;
  const { job, outcome, failure, added } = logged;
  const [level, message] = lines[outcome] ?? ['info', 'Job ended'];
  const log = loggers.getOrInsertComputed(source, () => logger.child({ component: 'jobs', plugin }));
  if (!log.isLevelEnabled(level)) return;
  const { error } = failure ?? {};
  log[level](
    wideEvent({
      ...describe(readEnvelope(job.data).data),
      ...added,
      queue,
      jobId: job.id,
      attempt: job.retryCount + 1,
      outcome,
      durationMs: toLoggedMs(logged.durationMs),
      waitedMs: toLoggedMs(logged.waitedMs),
      ...(error instanceof AppError ? { code: error.code } : {}),
      ...(failure === undefined ? {} : { err: error }),
    }),
    message,
  );
}
