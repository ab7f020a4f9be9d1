import type { Plugin } from '#plugin-api';
import { registerEvents } from './events.ts';
import { createIntake } from './intake.ts';
import { registerLive } from './live.ts';
import { registerMessages } from './messages.ts';
import { registerPhoneRoutes } from './phone-routes.ts';
import { registerRoutes } from './routes.ts';
import { readSettings } from './settings.ts';

export const plugin: Plugin = {
  setup(ctx) {
    const now = (): number => Date.now();
    const settings = readSettings(ctx.env);
    const intake = createIntake(ctx, { settings, now });
    registerRoutes(ctx, now);
    registerLive(ctx);
    registerEvents(ctx);
    registerMessages(ctx, intake);
    registerPhoneRoutes(ctx, intake, now);
  },
};
