import type { Plugin } from '#plugin-api';
import { registerDeviceRoutes } from './device-routes.ts';
import { registerEvents } from './events.ts';
import { registerJobs } from './jobs.ts';
import { registerRoutes } from './routes.ts';

export const plugin: Plugin = {
  setup(ctx) {
    const now = (): number => Date.now();
    registerRoutes(ctx);
    registerDeviceRoutes(ctx);
    registerEvents(ctx, now);
    registerJobs(ctx, now);
  },
};
