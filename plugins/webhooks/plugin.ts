import type { Plugin } from '#plugin-api';
import { registerDeliveryRoutes } from './delivery-routes.ts';
import type { Dispatcher } from './dispatcher.ts';
import { registerEvents } from './events.ts';
import { registerFigures } from './figures.ts';
import { registerJobs } from './jobs.ts';
import { registerRoutes } from './routes.ts';
import { createSecretBox } from './secret-box.ts';
import { startSending } from './sending.ts';
import { readSettings } from './settings.ts';

/** For requests under way when the plugin stops. */
const stopGraceMs = 3000;

let dispatcher: Dispatcher | undefined;

export const plugin: Plugin = {
  async setup(ctx) {
    const settings = readSettings(ctx.env);
    const secretBox = createSecretBox(settings.secretKeys);
    if (!secretBox.usable) ctx.log.warn('webhooks are off: WEBHOOKS_SECRET_KEY is not set');
    await plugin.stop?.();
    dispatcher = startSending(ctx, { settings, secretBox, now: () => Date.now(), random: () => Math.random() });
    registerRoutes(ctx, { settings, secretBox });
    registerDeliveryRoutes(ctx, settings);
    registerEvents(ctx, settings);
    registerJobs(ctx, { settings, secretBox, dispatcher });
    registerFigures(ctx);
  },
  async stop() {
    await dispatcher?.stop(stopGraceMs);
  },
};
