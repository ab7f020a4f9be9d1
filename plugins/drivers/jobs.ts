import type { PluginContext } from '#plugin-api';
import { tryAssign, type AssignJob } from './dispatch.ts';

export function registerJobs(ctx: PluginContext, now: () => number): void {
  ctx.jobs.work<AssignJob>('drivers.assign', async ({ data }) => {
    const outcome = await ctx.db.transaction((tx) => tryAssign(tx, data, now));
    ctx.metrics.increment('returnit_assignments_total', { outcome });
  });
}
