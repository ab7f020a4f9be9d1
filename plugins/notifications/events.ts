import type { DomainEvent, PluginContext, Transaction } from '#plugin-api';
import { audienceOf, notifiedEvents, type NotifiedEvent } from './audience.ts';
import { compose } from './composing.ts';
import { readFacts, recipientOf } from './facts.ts';
import { chooseChannels, type ChannelName } from './person.ts';
import type { Settings } from './settings.ts';
import { findPerson } from './store/people.ts';
import { noteProgress } from './store/progress.ts';

export interface EventOptions {
  readonly settings: Settings;
  readonly open: ReadonlySet<ChannelName>;
  readonly now: () => number;
}

export function registerEvents(ctx: PluginContext, options: EventOptions): void {
  for (const name of notifiedEvents) {
    ctx.events.on(name, async (event, tx) => {
      const told = await notify(tx, { ...event, name }, options);
      if (told === 'off') ctx.metrics.increment('returnit_notifications_total', { channel: 'none', outcome: 'off' });
    });
  }
}

type Notified = Pick<DomainEvent<unknown>, 'id' | 'data' | 'publishedAt'> & { readonly name: NotifiedEvent };

/**
 * Writes what an event has to tell, a message for each channel. Whether it is still to be told, and when, is decided when
 * it is sent: events come late and in any order.
 */
export async function notify(
  tx: Transaction,
  { id: eventId, name: event, data, publishedAt }: Notified,
  { settings, open, now }: EventOptions,
): Promise<'told' | 'nobody' | 'off'> {
  const facts = readFacts(data);
  const { orderId } = facts;
  const isOfOrder = event.startsWith('order.');
  const isOfAssignment = event === 'driver.assigned' || event === 'driver.unassigned';
  if (orderId !== null && (isOfOrder || isOfAssignment)) {
    await noteProgress(tx, {
      orderId,
      version: isOfOrder ? facts.version : null,
      status: isOfOrder ? facts.status : null,
      assignmentSequence: isOfAssignment ? facts.sequence : null,
      nowMs: now(),
    });
  }
  const recipient = recipientOf(event, facts);
  if (recipient === undefined) return 'nobody';
  const person = await findPerson(tx, recipient);
  const channels = chooseChannels(person, audienceOf(event).kind, open);
  for (const channel of channels) {
    await compose(tx, { eventId, eventAt: publishedAt, event, facts }, { person, channel, settings });
  }
  return channels.length === 0 ? 'off' : 'told';
}
