/**
 * One transaction of a plugin, on a connection that is its alone until it ends.
 * Invariant: it ends once (`commit`, `rollback` or `abandoned`), and then the connection is back in its pool if the
 * server says that it is in no transaction, else destroyed. Statements run one at a time, in the order of the calls.
 */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { endConnection } from './connection-end.ts';
import { toDatabaseError } from './database-error.ts';
import type { Pool } from './pool.ts';
import { connectionLost, endedBy, timedOut, toEndError, type TransactionEnd } from './transaction-end.ts';

export interface OpenTransaction {
  readonly id: string;
  use<T>(work: (client: pg.PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Has `listener` called when a commit is over, before anybody is told: also when Postgres may or may not have committed. */
  onCommit(listener: () => void): void;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Ends it at once, with the statement that is running. Idempotent. */
  abandon(end: TransactionEnd): Promise<void>;
}

export interface OpenTransactionOptions {
  readonly client: pg.PoolClient;
  readonly plugin: string;
  readonly admin: Pool;
  readonly telemetry: Telemetry;
  readonly timeoutMs: number;
  /** Called once. */
  onEnd(id: string, end: TransactionEnd): void;
}

export const transactionOutcomes = ['commit', 'rollback', 'abandoned'] as const;
type Outcome = (typeof transactionOutcomes)[number];

/** @throws {AppError} DATABASE_ERROR, DATABASE_UNREACHABLE */
export async function createOpenTransaction(options: OpenTransactionOptions): Promise<OpenTransaction> {
  try {
    await options.client.query('begin');
  } catch (error) {
    options.client.release(true);
    throw toDatabaseError(error, 'begin');
  }
  return new TrackedTransaction(options);
}

class TrackedTransaction implements OpenTransaction {
  readonly id = randomBytes(18).toString('base64url');
  readonly #options: OpenTransactionOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #onLost = (): void => void this.abandon(connectionLost);
  /** The end of the last call that was queued. */
  #tail: Promise<unknown> = Promise.resolve();
  #ended: TransactionEnd | undefined;
  readonly #commitListeners: (() => void)[] = [];

  constructor(options: OpenTransactionOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => {
      void this.abandon(timedOut(`it was open for longer than ${options.timeoutMs} ms`));
    }, options.timeoutMs);
    options.client.on('error', this.#onLost);
    options.telemetry.metrics.gauge('returnit_db_transactions_open').add({ plugin: options.plugin }, 1);
  }

  use<T>(work: (client: pg.PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#inTurn(async (client) => {
      signal?.throwIfAborted();
      const abort = (): void => void this.abandon(timedOut('a call in it was cancelled or took too long'));
      signal?.addEventListener('abort', abort, { once: true });
      try {
        const result = await work(client);
        await this.#leaveIfOutside(client);
        this.#assertOpen();
        return result;
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        await this.#leaveIfOutside(client);
        // What Postgres says of a connection that we ended tells the plugin less than why we did.
        if (!(error instanceof AppError)) this.#assertOpen();
        throw error;
      } finally {
        signal?.removeEventListener('abort', abort);
      }
    });
  }

  onCommit(listener: () => void): void {
    this.#commitListeners.push(listener);
  }

  commit(): Promise<void> {
    return this.#inTurn(async (client) => {
      let command: string;
      try {
        ({ command } = await client.query('commit').finally(() => this.#tellCommitted()));
      } catch (error) {
        this.#finish('rollback', endedBy('it was rolled back, since Postgres refused to commit it'));
        throw toDatabaseError(error, 'commit');
      }
      if (command === 'COMMIT') return this.#finish('commit', endedBy('it is committed'));
      this.#finish('rollback', endedBy('it was rolled back, since a statement in it failed'));
      throw new AppError(
        'DATABASE_ERROR',
        'Cannot commit the transaction: a statement in it failed, so it was rolled back',
        {
          details: { sqlstate: '25P02' },
        },
      );
    });
  }

  rollback(): Promise<void> {
    return this.#inTurn(async (client) => {
      try {
        await client.query('rollback');
      } catch (error) {
        // The connection is lost, and with it the transaction: that is what was asked for.
        this.#options.telemetry.logger
          .child({ component: 'database' })
          .debug({ err: error }, 'Rollback on a lost connection');
      }
      this.#finish('rollback', endedBy('it is rolled back'));
    });
  }

  #tellCommitted(): void {
    for (const listener of this.#commitListeners) listener();
  }

  async abandon(end: TransactionEnd): Promise<void> {
    if (this.#ended !== undefined) return;
    const { client, admin, telemetry } = this.#options;
    this.#end('abandoned', end);
    await endConnection(client, { admin, telemetry });
  }

  #inTurn<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const run = this.#tail.then(() => {
      this.#assertOpen();
      return work(this.#options.client);
    });
    this.#tail = run.catch(() => undefined);
    return run;
  }

  /** After any statement: `T` is inside, `E` inside and failed. Anything else, a trick or a lost connection, ends it. */
  async #leaveIfOutside(client: pg.PoolClient): Promise<void> {
    const status = client.getTransactionStatus();
    if (status !== 'T' && status !== 'E') await this.abandon(endedBy('a statement in it ended it'));
  }

  #assertOpen(): void {
    if (this.#ended !== undefined) throw toEndError(this.#ended);
  }

  #finish(outcome: Outcome, end: TransactionEnd): void {
    if (this.#ended !== undefined) return;
    this.#end(outcome, end);
    const { client } = this.#options;
    client.release(client.getTransactionStatus() !== 'I');
  }

  #end(outcome: Outcome, end: TransactionEnd): void {
    const { client, plugin, telemetry } = this.#options;
    this.#ended = end;
    clearTimeout(this.#timer);
    client.removeListener('error', this.#onLost);
    telemetry.metrics.gauge('returnit_db_transactions_open').add({ plugin }, -1);
    telemetry.metrics.counter('returnit_db_transactions_total').inc({ plugin, outcome });
    this.#options.onEnd(this.id, end);
  }
}
