/** The composition of this folder: one per core. */
import type pg from 'pg';
import type { PgBoss } from 'pg-boss';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createBoss } from './boss.ts';
import { createDeadLetters, type DeadLetters } from './dead-letters.ts';
import { startDepthCollector } from './depth-collector.ts';
import { pruneInbox, pruneRejected } from './inbox.ts';
import { createListener } from './listener.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createQueues, type Queues } from './queues.ts';
import type { OutboxRow } from './relay-batch.ts';
import { createRelay } from './relay.ts';
import { createSchedules, type Schedules } from './schedules.ts';
import { loadSeal } from './seal.ts';
import { createSlots } from './slots.ts';
import { createWorker, type Worker, type WorkerOptions } from './worker.ts';

export interface JobSystemOptions {
  /** The core's own pool, and the address for the one connection that listens. */
  readonly database: { readonly admin: pg.Pool; readonly url: string };
  readonly config: Config;
  readonly telemetry: Telemetry;
  /** A row of the outbox that somebody wrote past invoke(): to be audited. */
  readonly onForged: (row: OutboxRow) => void;
}

export interface JobSystem {
  readonly boss: PgBoss;
  readonly outbox: Outbox;
  readonly queues: Queues;
  readonly schedules: Schedules;
  readonly deadLetters: DeadLetters;
  readonly pool: pg.Pool;
  /** Works on a queue until `gone` or `stop()`; creates the queue. */
  work(options: WorkerOptions): Promise<Worker>;
  /** Finishes what runs within SHUTDOWN_TIMEOUT_MS; the rest goes back to its queue. Idempotent. */
  stop(): Promise<void>;
}

const pruneQueue = 'core.inbox-prune';
/** Rejected rows kept for whoever looks into a forgery. */
const rejectedMax = 10_000;

/** Connects the queues, relays the outbox and keeps both tidy. The schema `returnit` must be migrated. */
export async function startJobSystem(options: JobSystemOptions): Promise<JobSystem> {
  const { database, config, telemetry, onForged } = options;
  const pool = database.admin;
  const workers = new Set<Worker>();
  const listener = createListener({
    connection: { connectionString: database.url, application_name: 'returnit listen' },
    logger: telemetry.logger.child({ component: 'listener' }),
  });
  const seal = await loadSeal(pool);
  const boss = createBoss({
    pool,
    listener,
    config,
    telemetry,
    onQueueNotified(queue) {
      for (const worker of workers) if (queue === undefined || worker.queue === queue) worker.wake();
    },
  });
  listener.start();
  await boss.start();
  const queues = createQueues({ boss: boss.queues, config });
  const relay = createRelay({ boss: boss.queues, queues, seal, pool, listener, config, telemetry, onForged });
  await relay.start();
  const stopCollector = startDepthCollector({ pool, telemetry });
  const stopping = new AbortController();

  const work = async (workerOptions: WorkerOptions): Promise<Worker> => {
    await queues.ensure(workerOptions.queue);
    const gone = AbortSignal.any([workerOptions.gone, stopping.signal]);
    const worker = createWorker({ boss: boss.queues, pool, config, telemetry }, { ...workerOptions, gone });
    workers.add(worker);
    const forget = (): void => void workers.delete(worker);
    gone.addEventListener('abort', forget, { once: true });
    if (gone.aborted) forget();
    return {
      ...worker,
      stop(deadline) {
        forget();
        return worker.stop(deadline);
      },
    };
  };
  const schedules = createSchedules(boss.queues, queues);
  await schedules.set({ plugin: 'core', queue: pruneQueue, cron: '23 * * * *', timeZone: 'UTC', data: {} });
  await work({
    queue: pruneQueue,
    plugin: 'core',
    slots: createSlots(1),
    gone: stopping.signal,
    async handle() {
      await pruneInbox(pool, { retentionMs: config.inboxRetentionMs, signal: stopping.signal });
      await pruneRejected(pool, rejectedMax);
    },
  });

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const deadline = AbortSignal.timeout(config.shutdownTimeoutMs);
    const last = [...workers];
    stopping.abort();
    stopCollector();
    await Promise.all(last.map((worker) => worker.stop(deadline)));
    await relay.stop();
    await boss.stop();
    await listener.stop();
  };
  return {
    boss: boss.queues,
    outbox: createOutbox(seal),
    queues,
    schedules,
    deadLetters: createDeadLetters(boss.queues, pool),
    pool,
    work,
    stop: () => (stopped ??= stop()),
  };
}
