import type { PluginContext, Transaction } from '#plugin-api';
import { toMessage, type Occasion } from './composing.ts';
import { decide, type Progress } from './decision.ts';
import type { Person } from './person.ts';
import type { Settings } from './settings.ts';
import { insertMessage, type Ended } from './store/messages.ts';

export interface KeepOptions {
  readonly person: Person;
  readonly settings: Settings;
  /** Of the order, this event included. */
  readonly progress: Progress;
  readonly nowMs: number;
}

/** A message in the log. */
export interface Kept {
  readonly notificationId: string;
  readonly occasion: Occasion;
  readonly person: Person;
  readonly ended: Ended;
}

/**
 * Keeps in the log what there is to tell to somebody whom no channel reaches. Nobody is to be asked for it, so it is done
 * with in the transaction that writes it, without a job.
 *
 * @returns undefined when the event has its message in the log already
 */
export async function keep(tx: Transaction, occasion: Occasion, options: KeepOptions): Promise<Kept | undefined> {
  const { person, settings } = options;
  const message = toMessage(occasion, { person, channel: 'log', settings });
  const ended = toEnd(message, options);
  const notificationId = await insertMessage(tx, { ...message, ended });
  return notificationId === undefined ? undefined : { notificationId, occasion, person, ended };
}

function toEnd(
  { template, eventAt, orderVersion, assignmentSequence, expiresAt }: ReturnType<typeof toMessage>,
  { person, settings, progress, nowMs }: KeepOptions,
): Ended {
  const message = {
    state: 'pending',
    template,
    channel: 'log',
    eventAtMs: Date.parse(eventAt),
    orderVersion,
    assignmentSequence,
    expiresAtMs: expiresAt === null ? null : Date.parse(expiresAt),
    attempts: 0,
    dueAtMs: null,
    heldUntilMs: null,
    claimedAtMs: null,
  } as const;
  // When something newer is known of the order, that has been kept before this.
  const decision = decide({ message, person, progress, newerTold: true }, settings, nowMs);
  return decision.kind === 'drop'
    ? { state: 'dropped', dropReason: decision.reason }
    : { state: 'sent', sentAt: new Date(nowMs).toISOString() };
}

/** Says that there was something to tell, and not what: texts may name people and places. */
export function tellKept({ log, metrics }: Pick<PluginContext, 'log' | 'metrics'>, kept: Kept): void {
  const { notificationId, occasion, person, ended } = kept;
  const outcome = ended.state === 'sent' ? 'sent' : ended.dropReason;
  metrics.increment('returnit_notifications_total', { channel: 'log', outcome });
  if (ended.state === 'dropped') return;
  const seconds = (Date.parse(ended.sentAt) - Date.parse(occasion.eventAt)) / 1000;
  metrics.observe('returnit_notifications_latency_seconds', Math.max(0, seconds), { channel: 'log' });
  const { role: recipientRole, personId: recipientId } = person;
  log.info('notification sent', { notificationId, recipientRole, recipientId, template: occasion.template });
}
