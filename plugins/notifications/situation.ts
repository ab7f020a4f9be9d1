import type { OpenState, Situation } from './decision.ts';
import type { ContactChannel, Person } from './person.ts';
import type { StoredMessage } from './store/messages.ts';

export type OpenStoredMessage = StoredMessage & { readonly state: OpenState; readonly channel: ContactChannel };

export const isOpen = (message: StoredMessage): message is OpenStoredMessage =>
  message.channel !== 'log' && (message.state === 'pending' || message.state === 'held' || message.state === 'sending');

export const toMs = (time: string | null): number | null => (time === null ? null : Date.parse(time));
export const toNumber = (text: string | null): number | null => (text === null ? null : Number(text));

/** A message as it is stored, in the terms in which is decided about it. */
export function toSituation(message: OpenStoredMessage, person: Person): Situation {
  return {
    person,
    newerTold: message.newerTold,
    progress: {
      version: toNumber(message.knownVersion),
      status: message.knownStatus,
      assignmentSequence: toNumber(message.knownSequence),
    },
    message: {
      state: message.state,
      template: message.template,
      channel: message.channel,
      eventAtMs: Date.parse(message.eventAt),
      orderVersion: toNumber(message.orderVersion),
      assignmentSequence: toNumber(message.assignmentSequence),
      expiresAtMs: toMs(message.expiresAt),
      attempts: message.attempts,
      dueAtMs: toMs(message.dueAt),
      heldUntilMs: toMs(message.heldUntil),
      claimedAtMs: toMs(message.claimedAt),
    },
  };
}
