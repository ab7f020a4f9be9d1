import type { Transaction } from '#plugin-api';
import type { NotifiedEvent } from './audience.ts';
import type { Facts } from './facts.ts';
import type { ChannelName, Person } from './person.ts';
import type { Settings } from './settings.ts';
import { insertMessage } from './store/messages.ts';
import { render } from './templates/render.ts';

export const sendQueue = 'notifications.send';

/** Of the job, beside the message's own tries: for a database that is away, or a process that dies. */
const retryLimit = 20;

export interface Occasion {
  readonly eventId: string;
  /** ISO 8601. */
  readonly eventAt: string;
  readonly event: NotifiedEvent;
  readonly facts: Facts;
}

export interface ComposeOptions {
  readonly person: Person;
  readonly channel: ChannelName;
  readonly settings: Pick<Settings, 'locale' | 'timeZone' | 'orderUrl'>;
  /** The message that failed and that this one stands in for. */
  readonly fallbackOf?: string;
}

/**
 * Writes a message and the job that sends it; false when the event has its message to them by this channel already. Each
 * channel's is a job of its own: one channel's failure is not another's.
 */
export async function compose(tx: Transaction, occasion: Occasion, options: ComposeOptions): Promise<boolean> {
  const { person, channel, settings } = options;
  const { event, facts } = occasion;
  const text = render(event, facts, {
    channel,
    locale: person.locale ?? settings.locale,
    timeZone: person.timeZone ?? settings.timeZone,
    orderUrl: settings.orderUrl,
  });
  const isOfOrder = event.startsWith('order.');
  const isOfAssignment = event === 'driver.assigned' || event === 'driver.unassigned';
  const notificationId = await insertMessage(tx, {
    eventId: occasion.eventId,
    eventAt: occasion.eventAt,
    channel,
    recipient: { role: person.role, id: person.personId },
    template: event,
    ...text,
    facts,
    orderVersion: isOfOrder ? facts.version : null,
    assignmentSequence: isOfAssignment ? facts.sequence : null,
    expiresAt: event === 'driver.offered' ? facts.expiresAt : null,
    fallbackOf: options.fallbackOf ?? null,
  });
  if (notificationId === undefined) return false;
  await sendLater(tx, notificationId, 0);
  return true;
}

/** Has the message looked at after this time. */
export async function sendLater(tx: Pick<Transaction, 'jobs'>, notificationId: string, delayMs: number): Promise<void> {
  const startAfterSeconds = Math.ceil(delayMs / 1000);
  await tx.jobs.send(
    sendQueue,
    { notificationId },
    startAfterSeconds > 0 ? { retryLimit, startAfterSeconds } : { retryLimit },
  );
}
