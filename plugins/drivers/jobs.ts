import type { PluginContext } from '#plugin-api';
import { assignQueue, dispatch, type AssignJob, type DispatchTools } from './dispatch.ts';
import { countDispatched } from './dispatch-metrics.ts';
import { keepDocuments } from './document-keeping.ts';
import { keepHistory } from './history-keeping.ts';
import { watch } from './watching.ts';

const watchQueue = 'drivers.watch';
const dailyQueue = 'drivers.daily';

export function registerJobs(ctx: PluginContext, tools: DispatchTools): void {
  const { settings, now } = tools;
  ctx.jobs.work<AssignJob>(assignQueue, async ({ data }) => {
    countDispatched(ctx, await ctx.db.transaction((tx) => dispatch(tx, data, tools)));
  });

  ctx.jobs.work(watchQueue, ({ signal }) => watch(ctx, { settings, signal }), { concurrency: 1 });
  ctx.jobs.schedule(watchQueue, '* * * * *');

  ctx.jobs.work(
    dailyQueue,
    async ({ signal }) => {
      const options = { settings, nowMs: now(), signal };
      await keepDocuments(ctx, options);
      await keepHistory(ctx, options);
    },
    { concurrency: 1 },
  );
  // Just after midnight in UTC: what expired yesterday is over.
  ctx.jobs.schedule(dailyQueue, '5 0 * * *');
}
