import type { PluginContext } from '#plugin-api';
import { sendQueue } from './composing.ts';
import { forgetOld } from './retention.ts';
import { send, type SendingOptions } from './sending.ts';

const retentionQueue = 'notifications.retention';

export function registerJobs(ctx: PluginContext, options: SendingOptions): void {
  const { settings, now } = options;
  ctx.jobs.work<{ readonly notificationId: string }>(sendQueue, ({ data }) => send(ctx, options, data.notificationId), {
    concurrency: settings.concurrency,
  });
  ctx.jobs.work(
    retentionQueue,
    ({ signal }) => forgetOld(ctx, { nowMs: now(), retentionMs: settings.retentionMs, signal }),
    { concurrency: 1 },
  );
  ctx.jobs.schedule(retentionQueue, '23 * * * *');
}
