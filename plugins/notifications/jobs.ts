import type { PluginContext, Queryable } from '#plugin-api';
import type { Channel } from './channel.ts';
import { findUnsent, markSent } from './store.ts';

export function registerJobs(ctx: PluginContext, channels: readonly Channel[]): void {
  ctx.jobs.work<{ readonly notificationId: string }>('notifications.send', async ({ data }) => {
    const result = await send(ctx.db, channels, data.notificationId);
    ctx.metrics.increment('returnit_notifications_total', result);
  });
}

export interface SendResult extends Readonly<Record<string, string>> {
  readonly channel: string;
  readonly outcome: 'sent' | 'repeated';
}

/** Sends, then records it: after a crash in between a message may come twice, but none is lost. */
export async function send(db: Queryable, channels: readonly Channel[], notificationId: string): Promise<SendResult> {
  const message = await findUnsent(db, notificationId);
  if (message === undefined) return { channel: 'none', outcome: 'repeated' };
  const channel = channels.find(({ name }) => name === message.channel);
  if (channel === undefined)
    throw new Error(`Cannot send notification '${notificationId}': no channel '${message.channel}'`);
  const { role, recipientId, template, title, body } = message;
  await channel.send({ id: notificationId, recipient: { role, id: recipientId }, template, title, body });
  await markSent(db, notificationId);
  return { channel: channel.name, outcome: 'sent' };
}
