import type { PluginContext, Transaction } from '#plugin-api';
import { audienceOf } from './audience.ts';
import type { Delivery } from './channels/channel.ts';
import type { Channels } from './channels/open-channels.ts';
import { compose, sendLater, sendQueues, type SendJob } from './composing.ts';
import { decide, retryDelayMs, type Decision } from './decision.ts';
import { addressOf, standInsFor, type ContactChannel, type Person } from './person.ts';
import type { Settings } from './settings.ts';
import { isOpen, toMs, toSituation, type OpenStoredMessage } from './situation.ts';
import { findMessage, listEarlier } from './store/messages.ts';
import { findPerson } from './store/people.ts';
import { claim, drop, hold, markFailed, markSent, postpone, type Fence } from './store/transitions.ts';

export interface SendingOptions {
  readonly settings: Settings;
  readonly channels: Channels;
  readonly now: () => number;
}

type SendingContext = Pick<PluginContext, 'db' | 'log' | 'metrics'>;

interface Work extends SendingOptions {
  readonly ctx: SendingContext;
}

interface Open {
  readonly message: OpenStoredMessage;
  readonly person: Person;
  readonly at: Fence;
}

/** What became of one message: `closed` when nothing was to be done, and how long to wait when somebody else is at it. */
type Step = 'done' | 'closed' | { readonly waitMs: number };

/** While another sends what belongs before, or has just changed this one. */
const shortWaitMs = 1000;

/**
 * Sends a message, and before it what is due to the same person of the same order by the same channel: so they come in the
 * order in which it happened, whichever job runs first.
 */
export async function send(ctx: SendingContext, options: SendingOptions, job: SendJob): Promise<void> {
  const { notificationId } = job;
  const work: Work = { ...options, ctx };
  const comeBack = (waitMs: number): Promise<void> => ctx.db.transaction((tx) => sendLater(tx, job, waitMs));
  for (const earlier of await listEarlier(ctx.db, notificationId, options.now())) {
    if (typeof (await sendOne(work, earlier)) === 'object') return comeBack(shortWaitMs);
  }
  const step = await sendOne(work, notificationId);
  if (step === 'closed') count(work, 'none', 'repeated');
  return typeof step === 'object' ? comeBack(step.waitMs) : undefined;
}

async function sendOne(work: Work, notificationId: string): Promise<Step> {
  const { ctx, settings, now } = work;
  const message = await findMessage(ctx.db, notificationId);
  if (message === undefined || !isOpen(message)) return 'closed';
  const person = await findPerson(ctx.db, { role: message.role, id: message.recipientId });
  const at: Fence = { notificationId, state: message.state, attempts: message.attempts };
  return act(work, { message, person, at }, decide(toSituation(message, person), settings, now()));
}

async function act(work: Work, open: Open, decision: Decision): Promise<Step> {
  const { ctx, now } = work;
  const { at, message } = open;
  switch (decision.kind) {
    case 'send':
      return attempt(work, open);
    case 'drop':
      if (await drop(ctx.db, at, decision.reason)) count(work, message.channel, decision.reason);
      return 'done';
    case 'hold':
      await postponeTo(work, open, { ...decision, outcome: 'held', change: (tx) => hold(tx, at, decision.untilMs) });
      return 'done';
    case 'wait':
      return { waitMs: decision.untilMs - now() };
    default:
      await fail(work, open, null);
      return 'done';
  }
}

async function attempt(work: Work, open: Open): Promise<Step> {
  const { ctx, settings, now } = work;
  const { message } = open;
  const at = await claim(ctx.db, open.at, now());
  if (at === undefined) return { waitMs: shortWaitMs };
  const claimed: Open = { ...open, at };
  const delivery = await deliver(work, claimed);
  if (delivery.kind === 'sent') {
    await markSent(ctx.db, at, now());
    count(work, message.channel, 'sent');
    const since = Math.max(Date.parse(message.eventAt), toMs(message.heldUntil) ?? 0);
    ctx.metrics.observe('returnit_notifications_latency_seconds', Math.max(0, now() - since) / 1000, {
      channel: message.channel,
    });
    return 'done';
  }
  ctx.log.warn('a notification was not sent', {
    notificationId: at.notificationId,
    channel: message.channel,
    attempt: at.attempts,
    outcome: delivery.kind,
    reason: delivery.reason,
  });
  if (delivery.kind === 'refused' || at.attempts >= settings.attemptsMax) {
    await fail(work, claimed, delivery.reason);
    return 'done';
  }
  const asked = delivery.kind === 'deferred' ? (delivery.retryAfterMs ?? 0) : 0;
  const untilMs = now() + Math.max(asked, retryDelayMs(at.attempts, settings));
  const change: Postponement['change'] = (tx) => postpone(tx, at, { dueMs: untilMs, error: delivery.reason });
  await postponeTo(work, claimed, { untilMs, outcome: 'retried', change });
  return 'done';
}

async function deliver({ ctx, channels }: Work, { message, person }: Open): Promise<Delivery> {
  const {
    notificationId: id,
    channel: name,
    role,
    recipientId,
    orderId,
    template,
    locale,
    title,
    body,
    html,
  } = message;
  const channel = channels.get(name);
  if (channel === undefined) return { kind: 'deferred', reason: 'the channel is not set up on this node' };
  const address = addressOf(person, name);
  if (address === null) return { kind: 'refused', reason: 'no address' };
  try {
    const recipient = { role, id: recipientId };
    return await channel.send({ id, recipient, address, orderId, template, locale, title, body, html });
  } catch (error) {
    // A fault of ours must not hold up what comes behind it: it is tried again, and given up, like any other.
    ctx.log.error('a channel failed', { notificationId: id, channel: name, error: (error as Error).message });
    return { kind: 'uncertain', reason: 'fault' };
  }
}

interface Postponement {
  readonly untilMs: number;
  readonly outcome: 'held' | 'retried';
  readonly change: (tx: Transaction) => Promise<boolean>;
}

/** The change and the job that comes back to it are one. */
async function postponeTo(work: Work, { at, message }: Open, postponement: Postponement): Promise<void> {
  const changed = await work.ctx.db.transaction(async (tx) => {
    if (!(await postponement.change(tx))) return false;
    const job = { notificationId: at.notificationId, queue: sendQueues[message.channel] };
    await sendLater(tx, job, postponement.untilMs - work.now());
    return true;
  });
  if (changed) count(work, message.channel, postponement.outcome);
}

/** Gives a message up, and has another channel stand in for it where they want that. */
async function fail(work: Work, { message, person, at }: Open, reason: string | null): Promise<void> {
  const { ctx, settings, channels } = work;
  const { facts, template, eventId, eventAt, channel } = message;
  const standIn = await ctx.db.transaction(async (tx): Promise<ContactChannel | null | undefined> => {
    if (!(await markFailed(tx, at, reason))) return undefined;
    if (facts === null) return null;
    const candidates = standInsFor(person, {
      kind: audienceOf(template).kind,
      failed: channel,
      open: new Set(channels.keys()),
    });
    for (const candidate of candidates) {
      const options = { person, channel: candidate, settings, fallbackOf: at.notificationId };
      if (await compose(tx, { eventId, eventAt, template, facts }, options)) return candidate;
    }
    return null;
  });
  if (standIn === undefined) return;
  count(work, channel, 'failed');
  if (standIn !== null) ctx.metrics.increment('returnit_notifications_fallbacks_total', { from: channel, to: standIn });
}

function count({ ctx }: Work, channel: ContactChannel | 'none', outcome: string): void {
  ctx.metrics.increment('returnit_notifications_total', { channel, outcome });
}
