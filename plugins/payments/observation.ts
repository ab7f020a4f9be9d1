/**
 * All that a provider tells of a payment comes through `observe`: answers, what it says when it is asked, what a webhook
 * hinted at. It only ever moves forward, so the same knowledge in any order and any number ends the same way, and old
 * knowledge that comes late changes nothing.
 */
import { announce, revise, settle, type Draft } from './draft.ts';
import { observeDisputes, observeRefunds } from './observed-moves.ts';
import { postCapture } from './ledger/postings.ts';
import type { Operation } from './operation.ts';
import type { Intent } from './payment-state.ts';
import type { ProviderPayment } from './providers/provider.ts';

const rank: Readonly<Record<Intent, number>> = { unknown: 0, declined: 1, authorised: 1, captured: 2, voided: 2 };

/** False when it is about another payment, or another try of this one. */
export function observe(draft: Draft, seen: ProviderPayment): boolean {
  const { reference } = draft.facts;
  if (reference === null ? !isOfCurrentTry(draft, seen) : reference !== seen.reference) return false;
  if (seen.state !== 'unknown' && reference === null) revise(draft, { reference: seen.reference });
  settleByState(draft, seen);
  advanceIntent(draft, seen);
  observeRefunds(draft, seen.refunds);
  observeDisputes(draft, seen.disputes);
  return true;
}

/** Before its reference is known a payment is recognised by the operation that it was made for. */
function isOfCurrentTry({ operations }: Draft, seen: ProviderPayment): boolean {
  const newest = operations.filter(({ kind }) => kind === 'authorise').at(-1);
  return newest !== undefined && newest.operationId === seen.operationId;
}

/** Operations that what is seen answers. */
function settleByState(draft: Draft, seen: ProviderPayment): void {
  for (const operation of draft.operations) {
    if (operation.status !== 'pending') continue;
    const outcome = outcomeOf(operation, seen.state);
    if (outcome === undefined) continue;
    const reason = outcome === 'failed' ? (seen.reason ?? `payment_${seen.state}`) : null;
    settle(draft, operation, { status: outcome, reference: seen.reference, reason });
  }
}

/** Undefined when what is seen says nothing about it. Of refunds each is a thing of its own. */
export function outcomeOf(
  { kind }: Pick<Operation, 'kind'>,
  state: ProviderPayment['state'],
): 'succeeded' | 'failed' | undefined {
  if (kind === 'refund' || state === 'unknown') return undefined;
  if (kind === 'authorise') return state === 'declined' ? 'failed' : 'succeeded';
  if (state !== 'captured' && state !== 'voided') return undefined;
  return (kind === 'capture') === (state === 'captured') ? 'succeeded' : 'failed';
}

function advanceIntent(draft: Draft, seen: ProviderPayment): void {
  const { intent, wish } = draft.facts;
  if (rank[seen.state] <= rank[intent]) return;
  const isWanted = wish !== 'release';
  if (seen.state === 'declined') return decline(draft, seen.reason ?? 'declined');
  if (intent === 'unknown' && isWanted && seen.state !== 'voided') announce(draft, 'payment.authorised');
  revise(draft, { intent: seen.state });
  if (seen.state === 'captured') capture(draft, seen);
  if (seen.state === 'voided') lose(draft, intent);
}

export function decline(draft: Draft, reason: string): void {
  revise(draft, { intent: 'declined', declineReason: reason });
  if (draft.facts.wish !== 'release') announce(draft, 'payment.declined', { reason });
}

function capture(draft: Draft, seen: ProviderPayment): void {
  const { isOwed, wish, feeMinor, currency } = draft.facts;
  const { reference, capturedMinor } = seen;
  const isFee = wish === 'fee' && capturedMinor === feeMinor;
  revise(draft, { capturedMinor, isOwed: false, failureReason: null });
  if (capturedMinor > 0) {
    const earnedBy = isOwed ? 'debt' : isFee ? 'fee' : 'order';
    draft.postings.push(postCapture({ reference, amountMinor: capturedMinor, currency }, earnedBy));
  }
  announce(draft, 'payment.captured', { amountMinor: capturedMinor, purpose: isFee ? 'cancellation_fee' : 'order' });
}

/** The reservation is gone. An order that wanted it captured is told by whoever looks at what is owed. */
function lose(draft: Draft, before: Intent): void {
  const { wish } = draft.facts;
  if (before === 'unknown' && wish === 'hold') announce(draft, 'payment.failed', { reason: 'voided' });
  else if (wish !== 'capture' && before !== 'unknown') announce(draft, 'payment.voided');
}
