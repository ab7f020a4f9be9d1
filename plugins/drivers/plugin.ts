import type { Plugin } from '#plugin-api';
import { registerDeviceKeeping } from './device-keeping.ts';
import { registerEvents } from './events.ts';
import { registerFigures } from './figures.ts';
import { createFreeDrivers } from './free-drivers.ts';
import { registerJobs } from './jobs.ts';
import { openOptimiser } from './open-optimiser.ts';
import { registerPushing } from './pushing.ts';
import { registerRoutes } from './routes.ts';
import { readSettings } from './settings.ts';

export const plugin: Plugin = {
  async setup(ctx) {
    const now = (): number => Date.now();
    const monotonicMs = (): number => performance.now();
    const settings = readSettings(ctx.env);
    const freeDrivers = createFreeDrivers({ settings, now: monotonicMs });
    const tools = { settings, freeDrivers, now, monotonicMs, continueTrace: ctx.continueTrace };
    registerRoutes(ctx, { settings, now, optimiser: await openOptimiser(ctx, settings, monotonicMs) });
    registerEvents(ctx, tools);
    registerJobs(ctx, tools);
    registerPushing(ctx, now);
    registerDeviceKeeping(ctx);
    registerFigures(ctx);
  },
};
