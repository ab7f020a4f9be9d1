import { audienceOf, type TemplateName } from './audience.ts';
import { modesOf, type ChannelName, type Person } from './person.ts';
import { quietUntil } from './quiet-hours.ts';
import type { Settings } from './settings.ts';

export type OpenState = 'pending' | 'held' | 'sending';

/** A message that is not done with. Times in milliseconds since the epoch. */
export interface OpenMessage {
  readonly state: OpenState;
  readonly template: TemplateName;
  readonly channel: ChannelName;
  readonly eventAtMs: number;
  readonly orderVersion: number | null;
  readonly assignmentSequence: number | null;
  /** Of an offer. */
  readonly expiresAtMs: number | null;
  readonly attempts: number;
  /** Not before. */
  readonly dueAtMs: number | null;
  /** The end of the quiet hours that it was held for. */
  readonly heldUntilMs: number | null;
  /** When the try began that has not said how it ended. */
  readonly claimedAtMs: number | null;
}

/** How far the order is, as far as is known. */
export interface Progress {
  readonly version: number | null;
  readonly status: string | null;
  readonly assignmentSequence: number | null;
}

export interface Situation {
  readonly message: OpenMessage;
  readonly progress: Progress;
  /** Something later of this order was told to them by this channel, or may have been. */
  readonly newerTold: boolean;
  readonly person: Person;
}

export type DropReason = 'superseded' | 'expired' | 'off';

export type Decision =
  | { readonly kind: 'send' }
  | { readonly kind: 'drop'; readonly reason: DropReason }
  | { readonly kind: 'hold'; readonly untilMs: number }
  /** Not due, or another try may be under way. */
  | { readonly kind: 'wait'; readonly untilMs: number }
  /** Tried often enough; the last try has not said how it ended. */
  | { readonly kind: 'give-up' };

export type DecisionSettings = Pick<
  Settings,
  'attemptsMax' | 'eventAgeMaxMs' | 'sendingMs' | 'supersedeMs' | 'timeZone' | 'urgent'
>;

/** What becomes of a message now. All that depends on the time is decided here, whenever a message is about to be sent. */
export function decide(situation: Situation, settings: DecisionSettings, nowMs: number): Decision {
  const { message } = situation;
  const freeAtMs = message.state === 'sending' ? (message.claimedAtMs ?? 0) + settings.sendingMs : 0;
  if (freeAtMs > nowMs) return { kind: 'wait', untilMs: freeAtMs };
  if (message.state !== 'sending' && message.dueAtMs !== null && message.dueAtMs > nowMs) {
    return { kind: 'wait', untilMs: message.dueAtMs };
  }
  const reason = whyDropped(situation, settings, nowMs);
  if (reason !== null) return { kind: 'drop', reason };
  if (message.attempts >= settings.attemptsMax) return { kind: 'give-up' };
  const untilMs = heldUntil(situation, settings, nowMs);
  return untilMs === null ? { kind: 'send' } : { kind: 'hold', untilMs };
}

function whyDropped(
  { message, progress, newerTold, person }: Situation,
  settings: DecisionSettings,
  nowMs: number,
): DropReason | null {
  const { template, channel, attempts, heldUntilMs, eventAtMs } = message;
  const { kind, passing } = audienceOf(template);
  if (channel !== 'log' && modesOf(person)[kind][channel] === 'off') return 'off';
  const ageMs = nowMs - Math.max(eventAtMs, heldUntilMs ?? eventAtMs);
  if (ageMs > settings.eventAgeMaxMs || (message.expiresAtMs !== null && message.expiresAtMs <= nowMs))
    return 'expired';
  if (passing !== true || !isOutdated(message, progress)) return null;
  // At once and in its order, it is told even when the next is known: orders may move fast. Late, it would be wrong.
  const isLate = newerTold || attempts > 0 || heldUntilMs !== null || ageMs > settings.supersedeMs;
  return isLate ? 'superseded' : null;
}

/** The parcels are with the driver, or will never be. */
const pastPickup: ReadonlySet<string> = new Set(['picked_up', 'delivered', 'completed', 'cancelled']);
const noLongerSought: ReadonlySet<string> = new Set([
  'assigned',
  'on_the_way',
  'arrived',
  'pickup_failed',
  ...pastPickup,
]);

/** Whether what it says is no longer so. */
export function isOutdated(message: OpenMessage, progress: Progress): boolean {
  const { template, orderVersion, assignmentSequence } = message;
  const isBehind = (own: number | null, known: number | null): boolean => own !== null && known !== null && known > own;
  if (isBehind(orderVersion, progress.version)) return true;
  if (isBehind(assignmentSequence, progress.assignmentSequence)) return true;
  if (progress.status === null) return false;
  if (template === 'driver.unavailable') return noLongerSought.has(progress.status);
  // That it is theirs no more stays so, whatever becomes of the order.
  if (template === 'driver.unassigned') return false;
  return template.startsWith('driver.') && pastPickup.has(progress.status);
}

function heldUntil({ message, person }: Situation, settings: DecisionSettings, nowMs: number): number | null {
  const { template, channel } = message;
  if (channel === 'log' || person.quietHours === null) return null;
  if (settings.urgent.has(template) && person.urgentPasses) return null;
  return quietUntil(nowMs, person.quietHours, person.timeZone ?? settings.timeZone);
}

/** How long to wait after a try: doubled each time, up to a bound. */
export function retryDelayMs(
  attempts: number,
  { retryMs, retryMaxMs }: Pick<Settings, 'retryMs' | 'retryMaxMs'>,
): number {
  return Math.min(retryMs * 2 ** Math.max(0, attempts - 1), retryMaxMs);
}
