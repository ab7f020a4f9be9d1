import type { DomainEvent, PluginContext, Transaction } from '#plugin-api';
import { audienceOf, templatesByEvent } from './audience.ts';
import { compose } from './composing.ts';
import type { Progress } from './decision.ts';
import { readFacts, recipientOf, type Facts } from './facts.ts';
import { keep, tellKept, type Kept } from './keeping.ts';
import { chooseChannels, type ContactChannel } from './person.ts';
import type { Settings } from './settings.ts';
import { findPerson } from './store/people.ts';
import { noteProgress } from './store/progress.ts';

export interface EventOptions {
  readonly settings: Settings;
  readonly open: ReadonlySet<ContactChannel>;
  readonly now: () => number;
}

export function registerEvents(ctx: PluginContext, options: EventOptions): void {
  for (const name of templatesByEvent.keys()) {
    ctx.events.on(name, async (event, tx) => {
      const { unwanted, kept } = await notify(tx, { ...event, name }, options);
      for (const message of kept) tellKept(ctx, message);
      if (unwanted === 0) return;
      ctx.metrics.increment('returnit_notifications_total', { channel: 'none', outcome: 'off' }, unwanted);
    });
  }
}

type Notified = Pick<DomainEvent<unknown>, 'id' | 'name' | 'data' | 'publishedAt'>;

export interface Notice {
  /** How many people want none of it. */
  readonly unwanted: number;
  /** What is in the log, since no channel reaches whom it is for. */
  readonly kept: readonly Kept[];
}

/**
 * Writes what an event has to tell, a message for each person and channel. Whether it is still to be told, and when, is
 * decided when it is sent: events come late and in any order.
 */
export async function notify(
  tx: Transaction,
  { id: eventId, name, data, publishedAt: eventAt }: Notified,
  { settings, open, now }: EventOptions,
): Promise<Notice> {
  const facts = readFacts(data);
  const nowMs = now();
  const progress = await noteStep(tx, { name, facts, nowMs });
  const kept: Kept[] = [];
  let unwanted = 0;
  for (const template of templatesByEvent.get(name) ?? []) {
    const recipient = recipientOf(template, facts);
    if (recipient === undefined) continue;
    const person = await findPerson(tx, recipient);
    const occasion = { eventId, eventAt, template, facts };
    const channels = chooseChannels(person, audienceOf(template).kind, open);
    if (channels.length === 0) unwanted += 1;
    for (const channel of channels) {
      if (channel !== 'log') {
        await compose(tx, occasion, { person, channel, settings });
        continue;
      }
      const message = await keep(tx, occasion, { person, settings, progress, nowMs });
      if (message !== undefined) kept.push(message);
    }
  }
  return { unwanted, kept };
}

const nothingKnown: Progress = { version: null, status: null, assignmentSequence: null };

/** How far the order and its assignment are: it decides which messages are no longer so. */
async function noteStep(
  tx: Transaction,
  { name, facts, nowMs }: { readonly name: string; readonly facts: Facts; readonly nowMs: number },
): Promise<Progress> {
  const { orderId } = facts;
  const isOfOrder = name.startsWith('order.');
  const isOfAssignment = name === 'driver.assigned' || name === 'driver.unassigned';
  if (orderId === null || (!isOfOrder && !isOfAssignment)) return nothingKnown;
  return noteProgress(tx, {
    orderId,
    version: isOfOrder ? facts.version : null,
    status: isOfOrder ? facts.status : null,
    assignmentSequence: isOfAssignment ? facts.sequence : null,
    nowMs,
  });
}
