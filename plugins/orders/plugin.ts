import type { Plugin } from '#plugin-api';
import { registerAbandoning } from './abandoning.ts';
import { registerEvents } from './events.ts';
import { registerFigures } from './figures.ts';
import { registerRoutes } from './routes.ts';
import { readSettings } from './settings.ts';

export const plugin: Plugin = {
  setup(ctx) {
    const settings = readSettings(ctx.env);
    const now = (): number => Date.now();
    registerRoutes({ ctx, settings, now });
    registerEvents(ctx, { settings, now });
    registerAbandoning(ctx, { settings, now });
    registerFigures(ctx);
  },
};
