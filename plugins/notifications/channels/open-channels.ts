import type { PluginContext } from '#plugin-api';
import type { ContactChannel } from '../person.ts';
import type { ProviderSettings } from '../settings-text.ts';
import type { Settings } from '../settings.ts';
import type { Channel } from './channel.ts';
import { createEmailChannel } from './email.ts';
import { createHttpProvider, type HttpProvider } from './http-provider.ts';
import { createPushChannel, createSmsChannel } from './text-message.ts';

export type Channels = ReadonlyMap<ContactChannel, Channel>;

type ChannelContext = Pick<PluginContext, 'mail' | 'log' | 'permissions'>;

/** The channels that the operator has set up and allows. */
export async function openChannels(ctx: ChannelContext, settings: Settings, now: () => number): Promise<Channels> {
  const channels: Channel[] = [];
  if (await ctx.mail.isConfigured()) channels.push(createEmailChannel(ctx.mail));
  const toProvider = (from: ProviderSettings): HttpProvider =>
    createHttpProvider({ ...from, timeoutMs: settings.providerTimeoutMs, now });
  if (settings.sms !== null && (await isGranted(ctx, 'sms', settings.sms.url))) {
    channels.push(createSmsChannel(toProvider(settings.sms)));
  }
  if (settings.push !== null && (await isGranted(ctx, 'push', settings.push.url))) {
    channels.push(createPushChannel(toProvider(settings.push)));
  }
  return new Map(channels.map((channel) => [channel.name, channel]));
}

async function isGranted(ctx: ChannelContext, channel: ContactChannel, url: URL): Promise<boolean> {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const resource = `${url.hostname}:${port}`;
  if ((await ctx.permissions.query({ name: 'net', resource })) === 'granted') return true;
  ctx.log.warn('a channel stays closed: its provider is set, and net access to it is not granted', {
    channel,
    resource,
  });
  return false;
}
