import type { Plugin } from '#plugin-api';
import { registerEvents } from './events.ts';
import { registerRoutes } from './routes.ts';

export const plugin: Plugin = {
  setup(ctx) {
    registerRoutes(ctx, () => Date.now());
    registerEvents(ctx);
  },
};
