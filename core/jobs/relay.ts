/**
 * Moves the outbox to the queues. Woken by what commits on this node, and by a poll for what other nodes left behind. Any
 * number of nodes may run one: SKIP LOCKED gives each row to one of them. Killed at any point, the open transaction
 * rolls back and the rows are there for the next.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseError, type Pool, type PoolClient } from 'pg';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { Handover } from './handover.ts';
import { moveBatch, rejectOldest, type Batch, type BatchDeps, type OutboxRow } from './relay-batch.ts';
import type { Workers } from './workers.ts';

export interface RelayOptions extends BatchDeps {
  readonly pool: Pool;
  readonly workers: Workers;
  readonly config: Pick<Config, 'jobBatchWaitMs' | 'outboxBatchMax' | 'outboxPollMs'>;
  readonly telemetry: Telemetry;
  /** A row that the core did not seal: somebody called outbox_add() past invoke(). To be audited. */
  readonly onForged: (row: OutboxRow) => void;
}

export interface Relay {
  start(): void;
  /** Something was committed to the outbox. */
  wake(): void;
  /** Finishes the batch at hand. */
  stop(): Promise<void>;
  /** Moves what is there now; resolves when the outbox was seen empty or the database failed. */
  drain(): Promise<void>;
}

/** After an undeliverable row, how many rows are moved one by one to find it. */
const singleStepsMax = 10_000;

export function createRelay(options: RelayOptions): Relay {
  const { config } = options;
  const logger = options.telemetry.logger.child({ component: 'outbox' });
  let stopped = true;
  let woken = false;
  let endedAt = Number.NEGATIVE_INFINITY;
  let draining: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const run = async (): Promise<void> => {
    try {
      while (woken) {
        // One alone goes at once; of many that come one after another, some go together.
        const pauseMs = endedAt + config.jobBatchWaitMs - performance.now();
        if (pauseMs > 0) await delay(pauseMs);
        woken = false;
        await moveAll(options, () => stopped);
        endedAt = performance.now();
      }
    } catch (error) {
      options.telemetry.metrics.counter('returnit_outbox_relay_errors_total').inc();
      logger.error({ err: error }, 'Cannot relay the outbox: it is tried again at the next poll');
    }
  };
  const drain = (): Promise<void> => {
    woken = true;
    draining ??= run().finally(() => (draining = undefined));
    return draining;
  };
  const wake = (): void => {
    if (!stopped) void drain();
  };

  return {
    drain,
    wake,
    start() {
      if (!stopped) return;
      stopped = false;
      timer = setInterval(wake, config.outboxPollMs);
      wake();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await draining;
    },
  };
}

async function moveAll(options: RelayOptions, isStopped: () => boolean): Promise<void> {
  const { config } = options;
  for (;;) {
    let batch: Batch;
    try {
      batch = await step(options, config.outboxBatchMax);
    } catch (error) {
      if (!isRefusedData(error)) throw error;
      await moveSingly(options);
      continue;
    }
    if (batch.rows < config.outboxBatchMax || isStopped()) return;
  }
}

/** One row that the queues refuse must not hold up the others: moves them one by one until it is found, and sets it aside. */
async function moveSingly(options: RelayOptions): Promise<void> {
  for (let moved = 0; moved < singleStepsMax; moved += 1) {
    try {
      if ((await step(options, 1)).rows === 0) return;
    } catch (error) {
      if (!isRefusedData(error)) throw error;
      const reason = `undeliverable: ${(error as Error).message}`;
      const row = await inTransaction(options.pool, (client) => rejectOldest(client, reason));
      options.telemetry.metrics.counter('returnit_outbox_rejected_total').inc({ reason: 'undeliverable' });
      options.telemetry.logger.error({ err: error, outboxId: row?.id, plugin: row?.plugin }, 'Set an outbox row aside');
      return;
    }
  }
}

async function step(options: RelayOptions, limit: number): Promise<Batch> {
  const { pool, workers } = options;
  const handover = new Handover(workers);
  let batch: Batch;
  try {
    batch = await inTransaction(pool, (client) => moveBatch(client, options, { limit, handover }));
    handover.begin();
  } finally {
    // Of a transaction that failed.
    handover.release();
  }
  for (const queue of batch.ready) workers.wake(queue);
  const { metrics, logger } = options.telemetry;
  for (const { plugin, kind, name } of batch.moved) {
    metrics.counter('returnit_outbox_relayed_total').inc({ kind });
    if (kind === 'event') metrics.counter('returnit_events_published_total').inc({ plugin, event: name });
    else metrics.counter('returnit_jobs_sent_total').inc({ plugin, queue: name });
  }
  for (const row of batch.forged) {
    metrics.counter('returnit_outbox_rejected_total').inc({ reason: 'forged' });
    logger.error({ outboxId: row.id, role: row.role, name: row.name }, 'Refused an outbox row without the seal');
    options.onForged(row);
  }
  return batch;
}

/** Data exceptions and constraint violations: the row is at fault, not the database. */
function isRefusedData(error: unknown): boolean {
  return error instanceof DatabaseError && /^2[23]/.test(error.code ?? '');
}

async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error): void => {
    broken = error;
  };
  // A connection that dies between two statements emits its error with nobody waiting.
  client.on('error', onError);
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((rollbackError: unknown) => (broken = rollbackError as Error));
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
