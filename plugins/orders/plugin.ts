import type { Plugin } from '#plugin-api';
import { registerEvents } from './events.ts';
import { registerRoutes } from './routes.ts';
import { readSettings } from './settings.ts';

export const plugin: Plugin = {
  setup(ctx) {
    registerRoutes(ctx, { settings: readSettings(ctx.env), now: () => Date.now() });
    registerEvents(ctx);
  },
};
