import type { Plugin } from '#plugin-api';
import { registerEvents } from './events.ts';
import { registerJobs } from './jobs.ts';
import { registerRoutes } from './routes.ts';
import { sandboxProvider } from './sandbox-provider.ts';

export const plugin: Plugin = {
  setup(ctx) {
    registerRoutes(ctx);
    registerEvents(ctx);
    registerJobs(ctx, sandboxProvider);
  },
};
