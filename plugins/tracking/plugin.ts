import type { Plugin } from '#plugin-api';
import { createDeadLetterReplay } from './dead-letter-replay.ts';
import { registerDeadLetterRoutes } from './dead-letter-routes.ts';
import { createArrivalTimes } from './arrival-times.ts';
import { registerEvents } from './events.ts';
import { registerFigures } from './figures.ts';
import { registerHistory } from './history-routes.ts';
import { createIntake } from './intake.ts';
import { registerJobs } from './jobs.ts';
import { registerLive } from './live.ts';
import { registerMessages } from './messages.ts';
import { registerPhoneRoutes } from './phone-routes.ts';
import { registerPresenceRoutes } from './presence-routes.ts';
import { openRouting } from './open-routing.ts';
import { registerRoutes } from './routes.ts';
import { readSettings } from './settings.ts';
import { registerShareRoutes } from './share-routes.ts';

export const plugin: Plugin = {
  async setup(ctx) {
    const now = (): number => Date.now();
    const settings = readSettings(ctx.env);
    const arrivalTimes = createArrivalTimes(ctx, { settings, routing: await openRouting(ctx, settings, now), now });
    const intake = createIntake(ctx, { settings, arrivalTimes, now });
    registerRoutes(ctx, arrivalTimes);
    registerShareRoutes(ctx);
    registerHistory(ctx, settings, now);
    registerPresenceRoutes(ctx, settings, now);
    registerLive(ctx, arrivalTimes);
    registerEvents(ctx);
    registerMessages(ctx, intake);
    registerJobs(ctx, settings, now);
    registerPhoneRoutes(ctx, intake, now);
    registerDeadLetterRoutes(ctx, createDeadLetterReplay(ctx, intake));
    registerFigures(ctx, settings, now);
  },
};
