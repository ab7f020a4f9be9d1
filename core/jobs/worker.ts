/**
 * Fetches the jobs of one queue for one plugin process and settles them. Not pg-boss's own worker, because a claim must
 * be given back unharmed when the process has gone before its handler ran, and because one fetch for all free slots
 * asks the database less than one poll for each.
 */
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { JobWithMetadata } from 'pg-boss';
import { giveBack, runJob, type JobSource, type WorkerDeps } from './job-run.ts';
import type { Slots } from './slots.ts';

export interface WorkerOptions extends JobSource {
  readonly slots: Slots;
}

export interface Worker {
  readonly queue: string;
  /** Fetches now. */
  wake(): void;
  /** Fetches no more; resolves when nothing runs. What still runs at the deadline goes back to the queue. */
  stop(deadline?: AbortSignal): Promise<void>;
}

interface Running {
  readonly job: JobWithMetadata<unknown>;
  abandoned: boolean;
  done: Promise<void>;
}

/** Most jobs of one fetch, whatever the slots. */
const fetchMax = 100;

export function createWorker(deps: WorkerDeps, options: WorkerOptions): Worker {
  // Timers keep the context they are made in, and every job would else be a child of the call that registered it.
  return context.with(ROOT_CONTEXT, () => startWorker(deps, options));
}

function startWorker(deps: WorkerDeps, options: WorkerOptions): Worker {
  const { queue, slots, gone } = options;
  const logger = deps.telemetry.logger.child({ component: 'worker', queue });
  const running = new Set<Running>();
  let stopped = false;
  let fetching: Promise<void> | undefined;
  /** Jobs may be waiting: since a wake-up, and as long as fetches come back full. */
  let hungry = true;

  const begin = (job: JobWithMetadata<unknown>): void => {
    const entry: Running = { job, abandoned: false, done: Promise.resolve() };
    running.add(entry);
    entry.done = runJob(deps, options, { job, isAbandoned: () => entry.abandoned })
      .catch((error: unknown) => logger.error({ err: error, jobId: job.id }, 'Cannot settle a job: it comes again'))
      .finally(() => {
        running.delete(entry);
        slots.give(1);
      });
  };
  const fetch = async (): Promise<boolean> => {
    const wanted = slots.take(fetchMax);
    // Stays hungry: whoever gives a slot back wakes this worker.
    if (wanted === 0) return false;
    hungry = false;
    let begun = 0;
    try {
      const jobs = await deps.boss.fetch<unknown>(queue, { batchSize: wanted, includeMetadata: true });
      if (jobs.length === wanted) hungry = true;
      if (stopped) {
        for (const job of jobs) await giveBack(deps.pool, job);
        return false;
      }
      for (const job of jobs) begin(job);
      begun = jobs.length;
      return hungry;
    } finally {
      slots.give(wanted - begun);
    }
  };
  const pump = (): void => {
    if (stopped || !hungry || fetching !== undefined) return;
    fetching = fetch()
      .catch((error: unknown) => {
        logger.error({ err: error }, 'Cannot fetch jobs: it is tried again at the next poll');
        return false;
      })
      .then((again) => {
        fetching = undefined;
        if (again) pump();
      });
  };
  const wake = (): void => {
    hungry = true;
    pump();
  };
  const unsubscribe = slots.onFree(pump);
  const timer = setInterval(wake, deps.config.jobPollMs);
  const halt = (): void => {
    stopped = true;
    clearInterval(timer);
    unsubscribe();
    gone.removeEventListener('abort', halt);
  };
  gone.addEventListener('abort', halt, { once: true });
  if (gone.aborted) halt();
  else pump();

  return {
    queue,
    wake,
    async stop(deadline) {
      halt();
      await fetching;
      await Promise.race([Promise.all([...running].map((entry) => entry.done)), aborted(deadline)]);
      for (const entry of running) {
        entry.abandoned = true;
        await giveBack(deps.pool, entry.job);
      }
    },
  };
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    else signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}
