import type { PluginContext } from '#plugin-api';
import { forgetFinishedOrders } from './order-keeping.ts';
import { keepPartitions } from './partition-keeping.ts';
import type { Settings } from './settings.ts';

const partitionsQueue = 'tracking.partitions';

export function registerJobs(ctx: PluginContext, { retentionMs }: Settings, now: () => number): void {
  ctx.jobs.work(
    partitionsQueue,
    async ({ signal }) => {
      const options = { nowMs: now(), retentionMs, signal };
      await keepPartitions(ctx, options);
      await forgetFinishedOrders(ctx, options);
    },
    { concurrency: 1 },
  );
  // Each hour, though a day has one midnight: an hour's failure is made good by the next.
  ctx.jobs.schedule(partitionsQueue, '7 * * * *');
}
