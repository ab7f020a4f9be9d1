import type { Transaction } from '#plugin-api';
import type { TemplateName } from './audience.ts';
import type { Facts } from './facts.ts';
import type { ChannelName, ContactChannel, Person } from './person.ts';
import type { Settings } from './settings.ts';
import { insertMessage, type MessageToInsert } from './store/messages.ts';
import { render } from './templates/render.ts';

/** One for each channel: a provider that answers slowly holds up no other. */
export const sendQueues: Readonly<Record<ContactChannel, string>> = {
  email: 'notifications.email',
  sms: 'notifications.sms',
  push: 'notifications.push',
};

/** Of the job, beside the message's own tries: for a database that is away, or a process that dies. */
const retryLimit = 20;

export interface Occasion {
  readonly eventId: string;
  /** ISO 8601. */
  readonly eventAt: string;
  readonly template: TemplateName;
  readonly facts: Facts;
}

type TextSettings = Pick<Settings, 'locale' | 'timeZone' | 'orderUrl'>;

export interface ComposeOptions {
  readonly person: Person;
  readonly channel: ContactChannel;
  readonly settings: TextSettings;
  /** The message that failed and that this one stands in for. */
  readonly fallbackOf?: string;
}

/**
 * Writes a message and the job that sends it; false when the event has its message to them by this channel already. Each
 * channel's is a job of its own: one channel's failure is not another's.
 */
export async function compose(tx: Transaction, occasion: Occasion, options: ComposeOptions): Promise<boolean> {
  const { channel, fallbackOf = null } = options;
  const notificationId = await insertMessage(tx, { ...toMessage(occasion, options), fallbackOf });
  if (notificationId === undefined) return false;
  await sendLater(tx, { notificationId, queue: sendQueues[channel] }, 0);
  return true;
}

export interface MessageOptions {
  readonly person: Person;
  readonly channel: ChannelName;
  readonly settings: TextSettings;
}

/** What there is to tell somebody by a channel. */
export function toMessage(
  { eventId, eventAt, template, facts }: Occasion,
  { person, channel, settings }: MessageOptions,
): MessageToInsert {
  const text = render(template, facts, {
    channel,
    locale: person.locale ?? settings.locale,
    timeZone: person.timeZone ?? settings.timeZone,
    orderUrl: settings.orderUrl,
  });
  const isOfOrder = template.startsWith('order.');
  const isOfAssignment = template === 'driver.assigned' || template === 'driver.unassigned';
  return {
    eventId,
    eventAt,
    channel,
    recipient: { role: person.role, id: person.personId },
    template,
    ...text,
    facts,
    orderVersion: isOfOrder ? facts.version : null,
    assignmentSequence: isOfAssignment ? facts.sequence : null,
    expiresAt: template === 'driver.offered' ? facts.expiresAt : null,
    fallbackOf: null,
  };
}

export interface SendJob {
  readonly notificationId: string;
  readonly queue: string;
}

/** Has the message looked at after this time. */
export async function sendLater(
  tx: Pick<Transaction, 'jobs'>,
  { notificationId, queue }: SendJob,
  delayMs: number,
): Promise<void> {
  const startAfterSeconds = Math.ceil(delayMs / 1000);
  const options = startAfterSeconds > 0 ? { retryLimit, startAfterSeconds } : { retryLimit };
  await tx.jobs.send(queue, { notificationId }, options);
}
