import type pg from 'pg';
import type { PgBoss } from 'pg-boss';
import { AppError } from '#core/errors/app-error.ts';
import { onClient } from './boss.ts';
import { readEnvelope } from './job-envelope.ts';
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
}

export interface DeadLetters {
  /** Oldest first; `limit` at most. @throws {AppError} NOT_FOUND when the queue was never used */
  listDeadLetters(queue: string, limit?: number): Promise<readonly DeadLetter[]>;
  /** Puts it back into the queue it failed in, with all its attempts. @throws {AppError} NOT_FOUND */
  replayDeadLetter(id: string): Promise<void>;
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function createDeadLetters(boss: PgBoss, pool: pg.Pool): DeadLetters {
  return {
    async listDeadLetters(queue, limit = 100) {
      const dead = deadLetterQueue(queue);
      if ((await boss.getQueue(dead)) === null)
        throw new AppError('NOT_FOUND', `Cannot list dead letters: there is no queue "${queue}"`);
      const jobs = await boss.findJobs<unknown>(dead, { queued: true, limit });
      return jobs.map((job) => ({
        id: job.id,
        queue: job.sourceName ?? queue,
        data: readEnvelope(job.data).data,
        error: job.sourceOutput,
        attempts: (job.sourceRetryCount ?? 0) + 1,
        sentAt: job.sourceCreatedOn ?? job.createdOn,
        failedAt: job.createdOn,
      }));
    },
    async replayDeadLetter(id) {
      const moved = uuidPattern.test(id) ? await redrive(boss, pool, id) : 0;
      if (moved === 0) throw new AppError('NOT_FOUND', `Cannot replay dead letter "${id}": there is none with this id`);
    },
  };
}

async function redrive(boss: PgBoss, pool: pg.Pool, id: string): Promise<number> {
  const { rows } = await pool.query<{ name: string }>(
    `select name from pgboss.job where id = $1 and source_name is not null and state = 'created'`,
    [id],
  );
  const dead = rows[0]?.name;
  if (dead === undefined) return 0;
  // Taking it out and putting it in are several statements: on one connection, in one transaction.
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const moved = await boss.redrive(dead, { ids: [id], db: onClient(client) });
    await client.query('commit');
    return moved;
  } catch (error) {
    await client.query('rollback').catch((rollbackError: unknown) => (broken = rollbackError as Error));
    throw error;
  } finally {
    client.release(broken);
  }
}
