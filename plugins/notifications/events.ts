import type { DomainEvent, PluginContext, Transaction } from '#plugin-api';
import { audience, recipientOf, type EventFacts, type NotifiedEvent } from './notification.ts';
import { insertNotification } from './store.ts';
import { render } from './templates.ts';

const retryLimit = 10;

export function registerEvents(ctx: PluginContext, channelNames: readonly string[]): void {
  for (const name of Object.keys(audience) as NotifiedEvent[]) {
    ctx.events.on<EventFacts>(name, (event, tx) => notify(tx, { ...event, name }, channelNames));
  }
}

type Notified = Pick<DomainEvent<EventFacts>, 'id' | 'data'> & { readonly name: NotifiedEvent };

/** Writes a message for each channel and sends it by a job of its own: one channel's failure is not another's. */
export async function notify(tx: Transaction, event: Notified, channelNames: readonly string[]): Promise<void> {
  const { id: eventId, name, data } = event;
  const recipient = recipientOf(name, data);
  if (recipient === undefined) return;
  const text = render(name, data);
  for (const channel of channelNames) {
    const notificationId = await insertNotification(tx, {
      eventId,
      channel,
      recipient,
      orderId: data.orderId,
      template: name,
      ...text,
    });
    if (notificationId !== undefined) await tx.jobs.send('notifications.send', { notificationId }, { retryLimit });
  }
}
