import type pg from 'pg';
import type { PluginInstance } from '#core/plugin-host/capability.ts';

/** The open transactions of the plugins' processes. */
export interface Transactions {
  /**
   * Opens a transaction on a connection of the plugin's pool. It is rolled back at its deadline and when the process is gone.
   *
   * @returns its id: unguessable, and of no use to another process
   * @throws {AppError} BUDGET_EXCEEDED when the process holds as many as its pool has connections, OVERLOADED
   */
  begin(instance: PluginInstance, options?: BeginOptions): Promise<string>;
  /**
   * Runs `work` on the transaction's connection: one at a time, in the order of the calls. When it leaves the
   * transaction in any way the connection is destroyed; when it fails in Postgres, the transaction can only be rolled back.
   *
   * @throws {AppError} INVALID_CALL when the id is not one of this process, or is finished
   */
  use<T>(instance: PluginInstance, tx: string, work: (client: pg.PoolClient) => Promise<T>, options?: UseOptions): Promise<T>;
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
