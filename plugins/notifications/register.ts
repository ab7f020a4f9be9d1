import type { PluginContext } from '#plugin-api';
import type { Channels } from './channels/open-channels.ts';
import { registerEvents } from './events.ts';
import { registerJobs } from './jobs.ts';
import { registerPreferenceRoutes } from './preference-routes.ts';
import { registerRoutes } from './routes.ts';
import type { Settings } from './settings.ts';
import { registerTemplateRoutes } from './template-routes.ts';

export interface RegisterOptions {
  readonly settings: Settings;
  readonly channels: Channels;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** All that the plugin does, with the channels and the clock that it is given. */
export function register(ctx: PluginContext, options: RegisterOptions): void {
  const { settings, channels, now } = options;
  registerRoutes(ctx);
  registerPreferenceRoutes(ctx);
  registerTemplateRoutes(ctx, settings);
  registerEvents(ctx, { settings, open: new Set(channels.keys()), now });
  registerJobs(ctx, options);
}
