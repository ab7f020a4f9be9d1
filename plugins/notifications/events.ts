import type { DomainEvent, PluginContext, Transaction } from '#plugin-api';
import { audienceOf, templatesByEvent } from './audience.ts';
import { compose } from './composing.ts';
import { readFacts, recipientOf, type Facts } from './facts.ts';
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
  for (const name of templatesByEvent.keys()) {
    ctx.events.on(name, async (event, tx) => {
      const unwanted = await notify(tx, { ...event, name }, options);
      if (unwanted === 0) return;
      ctx.metrics.increment('returnit_notifications_total', { channel: 'none', outcome: 'off' }, unwanted);
    });
  }
}

type Notified = Pick<DomainEvent<unknown>, 'id' | 'name' | 'data' | 'publishedAt'>;

/**
 * Writes what an event has to tell, a message for each person and channel. Whether it is still to be told, and when, is
 * decided when it is sent: events come late and in any order.
 *
 * @returns how many people want none of it
 */
export async function notify(
  tx: Transaction,
  { id: eventId, name, data, publishedAt: eventAt }: Notified,
  { settings, open, now }: EventOptions,
): Promise<number> {
  const facts = readFacts(data);
  await noteStep(tx, { name, facts, nowMs: now() });
  let unwanted = 0;
  for (const template of templatesByEvent.get(name) ?? []) {
    const recipient = recipientOf(template, facts);
    if (recipient === undefined) continue;
    const person = await findPerson(tx, recipient);
    const channels = chooseChannels(person, audienceOf(template).kind, open);
    if (channels.length === 0) unwanted += 1;
    for (const channel of channels) {
      await compose(tx, { eventId, eventAt, template, facts }, { person, channel, settings });
    }
  }
  return unwanted;
}

/** How far the order and its assignment are: it decides which messages are no longer so. */
async function noteStep(
  tx: Transaction,
  { name, facts, nowMs }: { readonly name: string; readonly facts: Facts; readonly nowMs: number },
): Promise<void> {
  const { orderId } = facts;
  const isOfOrder = name.startsWith('order.');
  const isOfAssignment = name === 'driver.assigned' || name === 'driver.unassigned';
  if (orderId === null || (!isOfOrder && !isOfAssignment)) return;
  await noteProgress(tx, {
    orderId,
    version: isOfOrder ? facts.version : null,
    status: isOfOrder ? facts.status : null,
    assignmentSequence: isOfAssignment ? facts.sequence : null,
    nowMs,
  });
}
