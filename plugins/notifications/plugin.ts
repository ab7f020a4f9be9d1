import type { Plugin } from '#plugin-api';
import { createLogChannel } from './channel.ts';
import { registerEvents } from './events.ts';
import { registerJobs } from './jobs.ts';
import { registerRoutes } from './routes.ts';

export const plugin: Plugin = {
  setup(ctx) {
    const channels = [createLogChannel(ctx.log)];
    registerRoutes(ctx);
    registerEvents(
      ctx,
      channels.map(({ name }) => name),
    );
    registerJobs(ctx, channels);
  },
};
