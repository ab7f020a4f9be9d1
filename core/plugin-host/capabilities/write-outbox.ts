import type { Transactions } from '#core/database/transactions.ts';
import type { JobSystem } from '#core/jobs/job-system.ts';
import type { OutboxEntry } from '#core/jobs/outbox.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';

export interface OutboxWriter {
  readonly jobs: Pick<JobSystem, 'outbox' | 'pool'>;
  readonly transactions: Pick<Transactions, 'use' | 'onCommit'>;
}

export interface OutboxWrite {
  readonly instance: PluginInstance;
  /** The transaction that it belongs to. @default one of its own */
  readonly tx?: string | undefined;
  readonly signal: AbortSignal;
  /** Called when the transaction is over, before anybody is told so. */
  readonly over?: () => void;
}

/**
 * What a plugin publishes or sends: a row of the outbox, with the plugin's transaction or alone.
 *
 * @throws {AppError} DATABASE_ERROR; INVALID_CALL for a transaction that is not one of this process
 */
export async function writeOutbox(
  { jobs: { outbox, pool }, transactions }: OutboxWriter,
  entry: OutboxEntry,
  { instance, tx, signal, over }: OutboxWrite,
): Promise<void> {
  const end = (): void => {
    over?.();
    outbox.wake();
  };
  if (tx === undefined) {
    await outbox.add(pool, entry).finally(end);
    return;
  }
  await transactions.use(instance, tx, (client) => outbox.add(client, entry), { signal });
  transactions.onCommit(instance, tx, end);
}
