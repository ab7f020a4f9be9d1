/** The composition of this folder: one per core. */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { PgBoss } from 'pg-boss';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createBoss } from './boss.ts';
import { createDeadLetters, type DeadLetters } from './dead-letters.ts';
import { startDepthCollector } from './depth-collector.ts';
import { pruneInbox, pruneRejected } from './inbox.ts';
import { createJobInspection, type JobInspection } from './job-inspection.ts';
import { createListener, type Listener } from './listener.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createQueues, type Queues } from './queues.ts';
import type { OutboxRow } from './relay-batch.ts';
import { createRelay } from './relay.ts';
import { createSchedules, type Schedules } from './schedules.ts';
import { loadSeal } from './seal.ts';
import { createSlots } from './slots.ts';
import type { WorkerDeps } from './job-run.ts';
import { watchReady } from './ready.ts';
import { createWorker, type WorkerHandle, type WorkerOptions } from './worker.ts';
import { Workers } from './workers.ts';

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
  readonly inspection: JobInspection;
  readonly pool: pg.Pool;
  /** The one connection that listens, for whoever else has a channel. */
  readonly listener: Listener;
  /** Works on a queue until `gone` or `stop()`; creates the queue. */
  work(options: WorkerOptions): Promise<WorkerHandle>;
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
  const workers = new Workers();
  const listener = createListener({
    connection: { connectionString: database.url, application_name: 'returnit listen' },
    logger: telemetry.logger.child({ component: 'listener' }),
  });
  const seal = await loadSeal(pool);
  const boss = createBoss({ pool, config, telemetry });
  listener.start();
  await boss.start();
  const queues = createQueues({ boss: boss.queues, config });
  const shared = { pool, listener, workers, nodeId: randomUUID(), config };
  const relay = createRelay({ ...shared, boss: boss.queues, queues, seal, telemetry, onForged });
  relay.start();
  const stopWatching = await watchReady({ ...shared, logger: telemetry.logger.child({ component: 'jobs' }) });
  const stopCollector = startDepthCollector({ pool, telemetry });
  const stopping = new AbortController();
  const work = createWork(
    { boss: boss.queues, pool, config, telemetry },
    { queues, workers, stopping: stopping.signal },
  );
  const schedules = createSchedules(boss.queues, queues);
  await startPruning({ schedules, work, pool, retentionMs: config.inboxRetentionMs, stopping: stopping.signal });

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const deadline = AbortSignal.timeout(config.shutdownTimeoutMs);
    const last = workers.all;
    stopping.abort();
    stopWatching();
    stopCollector();
    // Before the workers, whom it may be handing jobs. What is published meanwhile waits in the outbox.
    await relay.stop();
    await Promise.all(last.map((worker) => worker.stop(deadline)));
    await boss.stop();
    await listener.stop();
  };
  return {
    boss: boss.queues,
    outbox: createOutbox(seal, () => relay.wake()),
    queues,
    schedules,
    deadLetters: createDeadLetters(boss.queues, pool),
    inspection: createJobInspection(pool),
    pool,
    listener,
    work,
    stop: () => (stopped ??= stop()),
  };
}

function createWork(
  deps: WorkerDeps,
  held: { readonly queues: Queues; readonly workers: Workers; readonly stopping: AbortSignal },
): JobSystem['work'] {
  const { queues, workers, stopping } = held;
  return async (options) => {
    await queues.ensure(options.queue);
    const gone = AbortSignal.any([options.gone, stopping]);
    const worker = createWorker(deps, { ...options, gone });
    workers.add(worker);
    const forget = (): void => workers.delete(worker);
    gone.addEventListener('abort', forget, { once: true });
    if (gone.aborted) forget();
    return {
      queue: worker.queue,
      stop(deadline) {
        forget();
        return worker.stop(deadline);
      },
    };
  };
}

/** Forgets old events once an hour, on one of the nodes. */
async function startPruning(options: {
  readonly schedules: Schedules;
  readonly work: JobSystem['work'];
  readonly pool: pg.Pool;
  readonly retentionMs: number;
  readonly stopping: AbortSignal;
}): Promise<void> {
  const { pool, retentionMs, stopping } = options;
  await options.schedules.set({ plugin: 'core', queue: pruneQueue, cron: '23 * * * *', timeZone: 'UTC', data: {} });
  await options.work({
    queue: pruneQueue,
    plugin: 'core',
    slots: createSlots(1),
    gone: stopping,
    async handle() {
      await pruneInbox(pool, { retentionMs, signal: stopping });
      await pruneRejected(pool, rejectedMax);
    },
  });
}
