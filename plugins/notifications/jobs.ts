import type { PluginContext } from '#plugin-api';
import { sendQueues } from './composing.ts';
import { forgetOld } from './retention.ts';
import { send, type SendingOptions } from './sending.ts';
import { endInLog } from './store/transitions.ts';

const retentionQueue = 'notifications.retention';
/** Of messages to the log that an earlier version wrote, which left them to a job. */
const logQueue = 'notifications.send';

export function registerJobs(ctx: PluginContext, options: SendingOptions): void {
  const { settings, now } = options;
  for (const queue of Object.values(sendQueues)) {
    ctx.jobs.work<{ readonly notificationId: string }>(
      queue,
      ({ data }) => send(ctx, options, { notificationId: data.notificationId, queue }),
      { concurrency: settings.concurrency },
    );
  }
  ctx.jobs.work<{ readonly notificationId: string }>(
    logQueue,
    ({ data }) => endInLog(ctx.db, data.notificationId, now()),
    { concurrency: 1 },
  );
  ctx.jobs.work(
    retentionQueue,
    ({ signal }) => forgetOld(ctx, { nowMs: now(), retentionMs: settings.retentionMs, signal }),
    { concurrency: 1 },
  );
  ctx.jobs.schedule(retentionQueue, '23 * * * *');
}
