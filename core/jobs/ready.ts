/** How workers hear that a job is ready: the nodes tell each other, and each looks by itself now and then. */
import type pg from 'pg';
import type { Config } from '#core/config/settings.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Listener, Notification } from './listener.ts';
import type { Workers } from './workers.ts';

const channel = 'returnit_ready';

/** What the other nodes are told of a queue in which a job waits. */
export function toReadyNotification(nodeId: string, queue: string): Notification {
  return { channel, payload: `${nodeId} ${queue}` };
}

export interface ReadyOptions {
  readonly pool: pg.Pool;
  readonly listener: Listener;
  readonly workers: Workers;
  /** This node's, whose own words are not for it. */
  readonly nodeId: string;
  readonly config: Pick<Config, 'jobPollMs'>;
  readonly logger: Logger;
}

/** One statement for all queues of this node. Each time it is planned anew: a plan from when there were no jobs would read all. */
const readQueues = `select name as queue from pgboss.job
  where name = any($1::text[]) and state < 'active' and not blocked and start_after <= now() group by name`;

/** Wakes workers of whose queue a job is ready: one that was told of, one whose time has come, one that was given back. */
export async function watchReady(options: ReadyOptions): Promise<() => void> {
  const { pool, listener, workers, nodeId, config, logger } = options;
  let looking = false;

  async function look(): Promise<void> {
    const { queues } = workers;
    if (looking || queues.length === 0) return;
    looking = true;
    try {
      const { rows } = await pool.query<{ queue: string }>(readQueues, [queues]);
      for (const { queue } of rows) workers.wake(queue);
    } catch (error) {
      logger.error({ err: error }, 'Cannot look for jobs: it is tried again at the next poll');
    } finally {
      looking = false;
    }
  }

  const unlisten = await listener.listen(channel, {
    onNotification(payload) {
      const [sender, queue = ''] = payload.split(' ');
      if (sender !== nodeId) workers.wake(queue);
    },
    onReconnect: () => void look(),
  });
  const timer = setInterval(() => void look(), config.jobPollMs);
  return () => {
    clearInterval(timer);
    unlisten();
  };
}
