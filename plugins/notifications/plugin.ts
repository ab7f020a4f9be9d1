import type { Plugin } from '#plugin-api';
import { openChannels } from './channels/open-channels.ts';
import { register } from './register.ts';
import { readSettings } from './settings.ts';

export const plugin: Plugin = {
  async setup(ctx) {
    const now = (): number => Date.now();
    const settings = readSettings(ctx.env);
    register(ctx, { settings, channels: await openChannels(ctx, settings, now), now });
  },
};
