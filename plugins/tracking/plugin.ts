import type { Plugin } from '#plugin-api';
import { registerEvents } from './events.ts';
import { registerLive } from './live.ts';
import { registerMessages } from './messages.ts';
import { registerRoutes } from './routes.ts';

export const plugin: Plugin = {
  setup(ctx) {
    const now = (): number => Date.now();
    registerRoutes(ctx, now);
    registerLive(ctx);
    registerEvents(ctx);
    registerMessages(ctx, now);
  },
};
