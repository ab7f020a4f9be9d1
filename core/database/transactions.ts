import type pg from 'pg';
import type { Config } from '#core/config/settings.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { acquireConnection } from './acquire-connection.ts';
import { toDatabaseError } from './database-error.ts';
import type { Database } from './database.ts';
import { createOpenTransaction, transactionOutcomes, type OpenTransaction } from './open-transaction.ts';
import { createSemaphore, type Semaphore } from './semaphore.ts';
import { endedBy, toEndError, type TransactionEnd } from './transaction-end.ts';

/** The open transactions of the plugins' processes. */
export interface Transactions {
  /**
   * Opens a transaction on a connection of the plugin's pool. It is rolled back at its deadline and when the process is gone.
   *
   * @returns its id: unguessable, and of no use to another process
   * @throws {AppError} DATABASE_UNREACHABLE; OVERLOADED when no connection was free in time: a plugin holds one fewer transaction than its
   * pool has connections, so that a query outside of them always gets its turn
   */
  begin(instance: PluginInstance, options?: BeginOptions): Promise<string>;
  /**
   * Runs `work` on the transaction's connection: one at a time, in the order of the calls. When it leaves the
   * transaction in any way the connection is destroyed; when it fails in Postgres, the transaction can only be rolled back.
   *
   * @throws {AppError} INVALID_CALL when the id is not one of this process, or is finished; DATABASE_UNREACHABLE when its
   * connection was lost
   */
  use<T>(
    instance: PluginInstance,
    tx: string,
    work: (client: pg.PoolClient) => Promise<T>,
    options?: UseOptions,
  ): Promise<T>;
  /** Has `listener` called when its commit is over, before anybody is told of it. @throws {AppError} INVALID_CALL */
  onCommit(instance: PluginInstance, tx: string, listener: () => void): void;
  /** @throws {AppError} INVALID_CALL; DATABASE_ERROR when Postgres refuses to commit: it is then rolled back */
  commit(instance: PluginInstance, tx: string): Promise<void>;
  /** Idempotent for an id that this process had. */
  rollback(instance: PluginInstance, tx: string): Promise<void>;
  /** Rolls back all of them. */
  stop(): Promise<void>;
}

export interface BeginOptions {
  /** Longest life. @default DB_TRANSACTION_TIMEOUT_MS */
  readonly timeoutMs?: number;
  /** Gives up waiting for a connection. */
  readonly signal?: AbortSignal;
}

export interface UseOptions {
  /** Cancels the statement on the server and ends the transaction. */
  readonly signal?: AbortSignal;
}

export interface TransactionsOptions {
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly config: Pick<Config, 'dbTransactionTimeoutMs' | 'dbAcquireTimeoutMs'>;
}

/** How many ended transactions of a process are remembered, to say why one is over. */
const endedMax = 100;

interface InstanceState {
  readonly open: Map<string, OpenTransaction>;
  /** Why each is over, oldest first. */
  readonly ended: Map<string, TransactionEnd>;
}

interface Registry {
  stateOf(instance: PluginInstance): InstanceState;
  /** @throws {AppError} INVALID_CALL, TIMEOUT, DATABASE_UNREACHABLE */
  find(instance: PluginInstance, tx: string): OpenTransaction;
  hasEnded(instance: PluginInstance, tx: string): boolean;
}

function createRegistry(): Registry {
  const instances = new WeakMap<PluginInstance, InstanceState>();
  return {
    stateOf(instance) {
      const found = instances.get(instance);
      if (found !== undefined) return found;
      const state: InstanceState = { open: new Map(), ended: new Map() };
      instances.set(instance, state);
      const abandonAll = (): void => {
        for (const transaction of state.open.values())
          void transaction.abandon(endedBy('the process of the plugin is gone'));
      };
      instance.gone.addEventListener('abort', abandonAll, { once: true });
      return state;
    },
    find(instance, tx) {
      const state = instances.get(instance);
      const transaction = state?.open.get(tx);
      if (transaction !== undefined) return transaction;
      throw toEndError(state?.ended.get(tx) ?? endedBy('this process has no transaction of this id'));
    },
    hasEnded: (instance, tx) => instances.get(instance)?.ended.has(tx) === true,
  };
}

function remember(ended: Map<string, TransactionEnd>, id: string, end: TransactionEnd): void {
  ended.set(id, end);
  for (const oldest of ended.keys()) {
    if (ended.size <= endedMax) break;
    ended.delete(oldest);
  }
}

/** A plugin's transactions leave one of its connections to what is outside of them. */
function createTurns({
  database,
  telemetry,
}: Pick<TransactionsOptions, 'database' | 'telemetry'>): (plugin: string) => Semaphore {
  const ends = telemetry.metrics.counter('returnit_db_transactions_total');
  return (plugin) => {
    // An increase does not show what a series begins with.
    for (const outcome of transactionOutcomes) ends.inc({ plugin, outcome }, 0);
    return createSemaphore(Math.max(1, database.pluginPool(plugin).max - 1));
  };
}

export function createTransactions({ database, telemetry, config }: TransactionsOptions): Transactions {
  const registry = createRegistry();
  const semaphores = new Map<string, Semaphore>();
  const allOpen = new Set<OpenTransaction>();
  const turnsOf = createTurns({ database, telemetry });

  async function begin(instance: PluginInstance, options: BeginOptions = {}): Promise<string> {
    const plugin = instance.plugin.name;
    const pool = database.pluginPool(plugin);
    const state = registry.stateOf(instance);
    const semaphore = semaphores.getOrInsertComputed(plugin, turnsOf);
    const signal = options.signal === undefined ? instance.gone : AbortSignal.any([options.signal, instance.gone]);
    await semaphore.take({ signal, timeoutMs: config.dbAcquireTimeoutMs, what: `a transaction of plugin "${plugin}"` });
    let transaction: OpenTransaction;
    try {
      const client = await acquireConnection(pool, signal);
      transaction = await createOpenTransaction({
        client,
        plugin,
        admin: database.admin,
        telemetry,
        timeoutMs: options.timeoutMs ?? config.dbTransactionTimeoutMs,
        onEnd(id, end) {
          allOpen.delete(transaction);
          state.open.delete(id);
          remember(state.ended, id, end);
          semaphore.give();
        },
      });
    } catch (error) {
      semaphore.give();
      throw signal.aborted ? error : toDatabaseError(error, 'begin');
    }
    allOpen.add(transaction);
    state.open.set(transaction.id, transaction);
    // It may have gone between the connection and here, after its listener ran.
    if (signal.aborted) {
      await transaction.abandon(endedBy('its caller is gone'));
      signal.throwIfAborted();
    }
    return transaction.id;
  }

  return {
    begin,
    // eslint-disable-next-line max-params -- the owner, its transaction, what to do, and how long
    async use(instance, tx, work, options = {}) {
      return registry.find(instance, tx).use(work, options.signal);
    },
    onCommit: (instance, tx, listener) => registry.find(instance, tx).onCommit(listener),
    async commit(instance, tx) {
      await registry.find(instance, tx).commit();
    },
    async rollback(instance, tx) {
      if (registry.hasEnded(instance, tx)) return;
      await registry.find(instance, tx).rollback();
    },
    async stop() {
      await Promise.all([...allOpen].map((transaction) => transaction.abandon(endedBy('the core stops'))));
    },
  };
}
