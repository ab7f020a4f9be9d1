import type { Plugin } from '#plugin-api';
import { registerAbandoning } from './abandoning.ts';
import { registerEvents } from './events.ts';
import { startFigures, type Figures } from './figures.ts';
import { registerRoutes } from './routes.ts';
import { readSettings } from './settings.ts';

let figures: Figures | undefined;

export const plugin: Plugin = {
  async setup(ctx) {
    const settings = readSettings(ctx.env);
    const now = (): number => Date.now();
    await figures?.stop();
    registerRoutes({ ctx, settings, now });
    registerEvents(ctx, { settings, now });
    registerAbandoning(ctx, { settings, now });
    figures = startFigures(ctx);
  },
  async stop() {
    await figures?.stop();
  },
};
