import type pg from 'pg';

/** True the first time for this event and the role that is logged in on this connection, if its transaction commits. */
export async function takeFromInbox(client: pg.ClientBase, eventId: string): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>('select returnit.inbox_take($1) as taken', [eventId]);
  return rows[0]?.taken === true;
}

export interface PruneOptions {
  readonly retentionMs: number;
  /** Rows in one statement, so that no lock is held for long. @default 5000 */
  readonly batchMax?: number;
  readonly signal?: AbortSignal;
}

/** Forgets events that were handled longer ago than the retention; returns how many. */
export async function pruneInbox(
  pool: pg.Pool,
  { retentionMs, batchMax = 5000, signal }: PruneOptions,
): Promise<number> {
  let pruned = 0;
  for (;;) {
    const { rowCount } = await pool.query(
      `delete from returnit.inbox where (role, event_id) in (
         select role, event_id from returnit.inbox
         where taken_at < now() - $1 * interval '1 millisecond'
         order by taken_at limit $2 for update skip locked)`,
      [retentionMs, batchMax],
    );
    pruned += rowCount ?? 0;
    if ((rowCount ?? 0) < batchMax || signal?.aborted === true) return pruned;
  }
}

/** Keeps the newest rejected rows of the outbox: a plugin that forges them must not fill the disk. */
export async function pruneRejected(pool: pg.Pool, keptMax: number): Promise<void> {
  await pool.query(
    `delete from returnit.outbox_rejected where position <= (
       select position from returnit.outbox_rejected order by position desc offset $1 limit 1)`,
    [keptMax],
  );
}
