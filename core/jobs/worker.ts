/**
 * Fetches the jobs of one queue for one plugin process and settles them. Not pg-boss's own worker, because a claim must
 * be given back unharmed when the process has gone before its handler ran, and because one fetch for all free slots
 * asks the database less than one poll for each.
 */
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { Logger } from '#core/telemetry/logger.ts';
import { createCompletion, type Completion } from './completion.ts';
import { giveBack, jobOutcomes, runJob, type ClaimedJob, type JobSource, type WorkerDeps } from './job-run.ts';
import type { Slots } from './slots.ts';

export interface WorkerOptions extends JobSource {
  readonly slots: Slots;
}

export interface Worker {
  readonly queue: string;
  /** Fetches now. */
  wake(): void;
  /** Keeps up to so many places for jobs that are about to be claimed; none while others may be waiting. @returns how many */
  reserve(wanted: number): number;
  /** Runs what was claimed for so many places. */
  begin(reserved: number, jobs: readonly ClaimedJob[]): void;
  /** Fetches no more; resolves when nothing runs. What still runs at the deadline goes back to the queue. */
  stop(deadline?: AbortSignal): Promise<void>;
}

/** A worker as its owner knows it. */
export type WorkerHandle = Pick<Worker, 'queue' | 'stop'>;

interface Running {
  readonly job: ClaimedJob;
  /** Its handler runs, and it has a place: it gives it back when that ends, before it is written that it is done. */
  handling: boolean;
  abandoned: boolean;
  done: Promise<void>;
}

/** Most jobs of one fetch, whatever the slots. */
const fetchMax = 100;
/** Most jobs whose handlers run or whose end is being written: a database that writes no end is asked for no more. */
const unsettledMax = 200;
/** Signs of life within the time after which a node without one is taken for dead. */
const beatsPerHeartbeat = 3;

export function createWorker(deps: WorkerDeps, options: WorkerOptions): Worker {
  // Timers keep the context they are made in, and every job would else be a child of the call that registered it.
  return context.with(ROOT_CONTEXT, () => new QueueWorker(deps, options));
}

class QueueWorker implements Worker {
  readonly queue: string;
  readonly #deps: WorkerDeps;
  readonly #options: WorkerOptions;
  readonly #logger: Logger;
  readonly #completion: Completion;
  readonly #running = new Set<Running>();
  readonly #beat: NodeJS.Timeout;
  readonly #unsubscribe: () => void;
  readonly #halt = (): void => {
    this.#stopped = true;
    clearTimeout(this.#pause);
    this.#unsubscribe();
    this.#options.gone.removeEventListener('abort', this.#halt);
    this.#endBeat();
  };
  #stopped = false;
  #pause: NodeJS.Timeout | undefined;
  #fetching: Promise<void> | undefined;
  /** Jobs may be waiting: since a wake-up, and as long as fetches come back full. */
  #hungry = true;
  #signals = 0;
  #signalsSeen = 0;

  constructor(deps: WorkerDeps, options: WorkerOptions) {
    this.queue = options.queue;
    this.#deps = deps;
    this.#options = options;
    this.#logger = deps.telemetry.logger.child({ component: 'worker', queue: options.queue });
    const ends = deps.telemetry.metrics.counter('returnit_jobs_total');
    // The first failure must be visible to `increase()`.
    for (const outcome of jobOutcomes) ends.inc({ plugin: options.plugin, queue: options.queue, outcome }, 0);
    this.#completion = createCompletion({ boss: deps.boss, queue: options.queue, waitMs: deps.config.jobBatchWaitMs });
    this.#unsubscribe = options.slots.onFree(() => this.#onFree());
    const beatMs = (1000 * deps.config.jobHeartbeatSeconds) / beatsPerHeartbeat;
    this.#beat = setInterval(() => void this.#giveSign(), beatMs);
    options.gone.addEventListener('abort', this.#halt, { once: true });
    if (options.gone.aborted) this.#halt();
    this.#pump();
  }

  wake(): void {
    this.#hungry = true;
    this.#pump();
  }

  reserve(wanted: number): number {
    return this.#stopped || this.#hungry ? 0 : this.#take(wanted);
  }

  begin(reserved: number, jobs: readonly ClaimedJob[]): void {
    for (const job of jobs) this.#begin(job);
    this.#options.slots.give(reserved - jobs.length);
  }

  async stop(deadline?: AbortSignal): Promise<void> {
    this.#halt();
    await this.#fetching;
    await Promise.race([Promise.all([...this.#running].map((entry) => entry.done)), aborted(deadline)]);
    clearInterval(this.#beat);
    for (const entry of this.#running) {
      entry.abandoned = true;
      await giveBack(this.#deps.pool, entry.job);
    }
  }

  #endBeat(): void {
    if (this.#stopped && this.#running.size === 0) clearInterval(this.#beat);
  }

  /** Of the jobs that run: most are done before the first one is due. */
  async #giveSign(): Promise<void> {
    if (this.#running.size === 0) return;
    const attempts = [...this.#running].map(({ job }) => ({ id: job.id, retryCount: job.retryCount }));
    try {
      await this.#deps.boss.touch(this.queue, attempts);
    } catch (error) {
      this.#logger.warn({ err: error }, 'Cannot give a sign of jobs that run: they may come again');
    }
  }

  #take(wanted: number): number {
    return this.#options.slots.take(Math.min(wanted, fetchMax, unsettledMax - this.#running.size));
  }

  /** While others run, more places will soon be free: one fetch for some of them costs as much as for one. */
  #onFree(): void {
    if (this.#stopped || !this.#hungry) return;
    if (![...this.#running].some(({ handling }) => handling)) return this.#pump();
    this.#pause ??= setTimeout(() => {
      this.#pause = undefined;
      this.#pump();
    }, this.#deps.config.jobBatchWaitMs);
  }

  #pump(): void {
    this.#signals += 1;
    if (this.#stopped || !this.#hungry || this.#fetching !== undefined) return;
    this.#fetching = this.#fetchAll().finally(() => {
      this.#fetching = undefined;
      // A signal between the last look and here found the fetch still under way.
      if (this.#signals !== this.#signalsSeen) this.#pump();
    });
  }

  async #fetchAll(): Promise<void> {
    try {
      while (await this.#fetch());
    } catch (error) {
      this.#logger.error({ err: error }, 'Cannot fetch jobs: it is tried again at the next poll');
    }
  }

  /** True when there may be more. */
  async #fetch(): Promise<boolean> {
    const { queue, slots } = this.#options;
    this.#signalsSeen = this.#signals;
    const wanted = this.#stopped ? 0 : this.#take(fetchMax);
    // Stays hungry: whoever gives a slot back, or settles a job, wakes this worker.
    if (wanted === 0) return false;
    this.#hungry = false;
    let begun = 0;
    try {
      const jobs = await this.#deps.boss.fetch<unknown>(queue, { batchSize: wanted, includeMetadata: true });
      if (this.#stopped) {
        for (const job of jobs) await giveBack(this.#deps.pool, job);
        return false;
      }
      if (jobs.length === wanted) this.#hungry = true;
      for (const job of jobs) this.#begin(job);
      begun = jobs.length;
      return this.#hungry;
    } finally {
      slots.give(wanted - begun);
    }
  }

  #begin(job: ClaimedJob): void {
    const entry: Running = { job, handling: true, abandoned: false, done: Promise.resolve() };
    this.#running.add(entry);
    const handled = (): void => {
      if (!entry.handling) return;
      entry.handling = false;
      this.#options.slots.give(1);
    };
    entry.done = runJob(this.#deps, this.#options, {
      job,
      handled,
      complete: (attempt) => this.#completion.complete(attempt),
      isAbandoned: () => entry.abandoned,
    })
      .catch((error: unknown) => {
        this.#logger.error({ err: error, jobId: job.id }, 'Cannot settle a job: it comes again');
      })
      .finally(() => {
        this.#running.delete(entry);
        this.#endBeat();
        // Of a claim that went back before its handler ran.
        handled();
        this.#onFree();
      });
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    else signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}
