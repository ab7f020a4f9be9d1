import type { PluginContext } from '#plugin-api';
import { sendQueues } from './composing.ts';
import { forgetOld } from './retention.ts';
import { send, type SendingOptions } from './sending.ts';

const retentionQueue = 'notifications.retention';

export function registerJobs(ctx: PluginContext, options: SendingOptions): void {
  const { settings, now } = options;
  for (const queue of Object.values(sendQueues)) {
    ctx.jobs.work<{ readonly notificationId: string }>(
      queue,
      ({ data }) => send(ctx, options, { notificationId: data.notificationId, queue }),
      { concurrency: settings.concurrency },
    );
  }
  ctx.jobs.work(
    retentionQueue,
    ({ signal }) => forgetOld(ctx, { nowMs: now(), retentionMs: settings.retentionMs, signal }),
    { concurrency: 1 },
  );
  ctx.jobs.schedule(retentionQueue, '23 * * * *');
}
