import type { PgBoss } from 'pg-boss';
import type { Config } from '#core/config/settings.ts';
import { deadLetterQueue } from './queue-names.ts';

export interface QueuesOptions {
  readonly boss: PgBoss;
  readonly config: Pick<Config, 'jobRetryLimit' | 'jobRetryDelayMs' | 'jobTimeoutMs' | 'jobHeartbeatSeconds'>;
}

export interface Queues {
  /** Creates the queue and its dead-letter queue, or brings their options up to date; cheap after the first time. */
  ensure(queue: string): Promise<void>;
}

const day = 86_400;
/** Longest back-off. An hour keeps five default retries within a minute and a hundred within days. */
const retryDelaySecondsMax = 3600;
/** A handler is cut off at the job's deadline; the claim must outlive that, and the transaction's end. */
export const expirySlackSeconds = 15;

/**
 * Queues are `exclusive`: at most one unfinished job for each key. Jobs sent without a key get their own id as key, so
 * that only those with the same `singletonKey` exclude each other.
 */
export function createQueues({ boss, config }: QueuesOptions): Queues {
  const ensured = new Map<string, Promise<void>>();
  const options = {
    retryLimit: config.jobRetryLimit,
    retryDelay: Math.max(1, Math.round(config.jobRetryDelayMs / 1000)),
    retryBackoff: true,
    retryDelayMax: retryDelaySecondsMax,
    expireInSeconds: Math.ceil(config.jobTimeoutMs / 1000) + expirySlackSeconds,
    heartbeatSeconds: config.jobHeartbeatSeconds,
    retentionSeconds: 14 * day,
    deleteAfterSeconds: 1 * day,
    // The relay tells who works: core/jobs/ready.ts.
    notify: false,
  };
  const deadOptions = { retryLimit: 0, retentionSeconds: 90 * day, deleteAfterSeconds: 7 * day, notify: false };

  const create = async (queue: string): Promise<void> => {
    const deadLetter = deadLetterQueue(queue);
    await boss.createQueue(deadLetter, deadOptions);
    await boss.createQueue(queue, { policy: 'exclusive', ...options, deadLetter });
    // Creation leaves a queue of an earlier start as it is; its options may have been configured anew.
    await boss.updateQueue(queue, { ...options, deadLetter });
  };

  return {
    ensure(queue) {
      const known = ensured.get(queue);
      if (known !== undefined) return known;
      const creation = create(queue).catch((error: unknown) => {
        ensured.delete(queue);
        throw error;
      });
      ensured.set(queue, creation);
      return creation;
    },
  };
}
