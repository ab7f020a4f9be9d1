import type { Plugin } from '#plugin-api';
import { createDeadLetterReplay } from './dead-letter-replay.ts';
import { registerDeadLetterRoutes } from './dead-letter-routes.ts';
import { createArrivalTimes } from './arrival-times.ts';
import { registerEvents } from './events.ts';
import { startFigures, type Figures } from './figures.ts';
import { registerHistory } from './history-routes.ts';
import { createIntake } from './intake.ts';
import { registerJobs } from './jobs.ts';
import { registerLive } from './live.ts';
import { registerMessages } from './messages.ts';
import { registerPhoneRoutes } from './phone-routes.ts';
import { showPartitions } from './partition-keeping.ts';
import { showPresence } from './presence.ts';
import { registerPresenceRoutes } from './presence-routes.ts';
import { openRouting } from './open-routing.ts';
import { registerRoutes } from './routes.ts';
import { readSettings } from './settings.ts';
import { registerShareRoutes } from './share-routes.ts';

let figures: Figures | undefined;

export const plugin: Plugin = {
  async setup(ctx) {
    const now = (): number => Date.now();
    const settings = readSettings(ctx.env);
    const arrivalTimes = createArrivalTimes(ctx, { settings, routing: await openRouting(ctx, settings, now), now });
    const intake = createIntake(ctx, { settings, arrivalTimes, now });
    await figures?.stop();
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
    figures = startFigures(ctx, {
      presence: () => showPresence(ctx, settings, now()),
      partitions: () => showPartitions(ctx),
    });
  },
  async stop() {
    await figures?.stop();
  },
};
