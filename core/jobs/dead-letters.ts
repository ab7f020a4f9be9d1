import type pg from 'pg';
import type { PgBoss } from 'pg-boss';
import { AppError } from '#core/errors/app-error.ts';
import { onClient } from './boss.ts';
import { readEnvelope } from './job-envelope.ts';
import { isUuid } from './job-id.ts';
import { deadLetterQueue } from './queue-names.ts';

export interface DeadLetter {
  readonly id: string;
  /** The queue it failed in. */
  readonly queue: string;
  readonly data: unknown;
  /** The last attempt's error. */
  readonly error: unknown;
  readonly attempts: number;
  readonly sentAt: Date;
  readonly failedAt: Date;
  readonly traceId: string | null;
}

export interface DeadLetterQuery {
  /** The queue they failed in. @default any */
  readonly queue?: string | undefined;
  /** @default 100 */
  readonly limit?: number;
  /** The `next` of an earlier page. */
  readonly cursor?: string | undefined;
}

export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[];
  readonly nextCursor: string | null;
}

export interface DeadLetters {
  /** Oldest first. @throws {AppError} NOT_FOUND when the queue was never used, VALIDATION_FAILED for a cursor that is none */
  listDeadLetters(query?: DeadLetterQuery): Promise<DeadLetterPage>;
  /**
   * Puts it back into the queue it failed in, with all its attempts.
   *
   * @returns that queue
   * @throws {AppError} NOT_FOUND; JOB_KEY_TAKEN, and then it stays where it is
   */
  replayDeadLetter(id: string): Promise<string>;
  /** Removes it for good. @returns the queue it failed in @throws {AppError} NOT_FOUND */
  dropDeadLetter(id: string): Promise<string>;
}

interface LetterRow {
  readonly id: string;
  readonly queue: string;
  readonly data: unknown;
  readonly error: unknown;
  readonly attempts: number;
  readonly sent_at: Date;
  readonly failed_at: Date;
  /** With all its digits, which a Date has not. */
  readonly position: string;
}

const isDead = `source_name is not null and state = 'created' and name = source_name || '.dead'`;

const listLetters = `select id, source_name as queue, data, source_output as error, source_retry_count + 1 as attempts,
    source_created_on as sent_at, created_on as failed_at, created_on::text as position
  from pgboss.job
  where ${isDead} and ($1::text is null or name = $1)
    and ($2::timestamptz is null or (created_on, id) > ($2::timestamptz, $3::uuid))
  order by created_on, id limit $4`;

export function createDeadLetters(boss: PgBoss, pool: pg.Pool): DeadLetters {
  return {
    async listDeadLetters({ queue, limit = 100, cursor } = {}) {
      const dead = queue === undefined ? null : deadLetterQueue(queue);
      if (dead !== null && (await boss.getQueue(dead)) === null)
        throw new AppError('NOT_FOUND', `Cannot list dead letters: there is no queue "${queue}"`);
      const after = cursor === undefined ? { at: null, id: null } : fromCursor(cursor);
      const { rows } = await pool.query<LetterRow>(listLetters, [dead, after.at, after.id, limit + 1]);
      const letters = rows.slice(0, limit);
      const last = letters.at(-1);
      const nextCursor = rows.length > limit && last !== undefined ? toCursor(last) : null;
      return { letters: letters.map(toLetter), nextCursor };
    },
    async replayDeadLetter(id) {
      const letter = await findLetter(pool, id, 'replay');
      await redrive(boss, pool, letter);
      return letter.queue;
    },
    async dropDeadLetter(id) {
      const letter = await findLetter(pool, id, 'drop');
      const { rowCount } = await pool.query(`delete from pgboss.job where name = $1 and id = $2 and ${isDead}`, [
        letter.name,
        id,
      ]);
      if (rowCount === 0) throw notFound(id, 'drop');
      return letter.queue;
    },
  };
}

function toLetter(row: LetterRow): DeadLetter {
  const { id, queue, error, attempts } = row;
  const { data, traceparent } = readEnvelope(row.data);
  const traceId = traceparent?.split('-')[1] ?? null;
  return { id, queue, data, error, attempts, sentAt: row.sent_at, failedAt: row.failed_at, traceId };
}

function toCursor({ position, id }: LetterRow): string {
  return Buffer.from(`${position} ${id}`).toString('base64url');
}

function fromCursor(cursor: string): { readonly at: string; readonly id: string } {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const at = text.slice(0, -37);
  const id = text.slice(-36);
  if (!isUuid(id) || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d\d(?::\d\d)?$/.test(at))
    throw new AppError('VALIDATION_FAILED', "Cannot list dead letters: 'cursor' must be a 'nextCursor' of ours");
  return { at, id };
}

interface FoundLetter {
  readonly id: string;
  /** Of the dead-letter queue. */
  readonly name: string;
  readonly queue: string;
}

async function findLetter(pool: pg.Pool, id: string, verb: string): Promise<FoundLetter> {
  if (!isUuid(id)) throw notFound(id, verb);
  const { rows } = await pool.query<FoundLetter>(
    `select id, name, source_name as queue from pgboss.job where id = $1 and ${isDead}`,
    [id],
  );
  if (rows[0] === undefined) throw notFound(id, verb);
  return rows[0];
}

function notFound(id: string, verb: string): AppError {
  return new AppError('NOT_FOUND', `Cannot ${verb} dead letter "${id}": there is none with this id`);
}

/** Taking it out and putting it in are several statements: on one connection, in one transaction. */
async function redrive(boss: PgBoss, pool: pg.Pool, { id, name, queue }: FoundLetter): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const moved = await boss.redrive(name, { ids: [id], db: onClient(client) });
    if (moved === 0) {
      // pg-boss would make a failed job of it, which nobody lists.
      throw new AppError('JOB_KEY_TAKEN', `Cannot replay dead letter "${id}": a job of its key waits in "${queue}"`);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch((rollbackError: unknown) => (broken = rollbackError as Error));
    throw error;
  } finally {
    client.release(broken);
  }
}
