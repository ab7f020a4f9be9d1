/** What an order's events, ops and time make of a payment. */
import { announce, revise, settle, type Draft } from './draft.ts';
import { postDebt, postShare } from './ledger/postings.ts';
import { feeOf, shareOf } from './policy.ts';
import { isLaterWish, statusOf, type Wish } from './payment-state.ts';
import type { Settings } from './settings.ts';

export type Policy = Pick<Settings, 'cancellationFee' | 'driverSharePercent'>;

export function wishFor(draft: Draft, wish: Wish, version: number | null): void {
  if (isLaterWish(draft.facts, wish, version)) revise(draft, { wish, wishVersion: version });
}

/** Nobody waits any more. Whether the provider holds the money is not known: what is found is given back. */
export function giveUp(draft: Draft): boolean {
  const { intent, wish, isGivenUp } = draft.facts;
  if (intent !== 'unknown' || wish !== 'hold' || isGivenUp) return false;
  revise(draft, { wish: 'release', isGivenUp: true });
  announce(draft, 'payment.failed', { reason: 'provider-unavailable' });
  return true;
}

export function complete(draft: Draft, driverId: string | null): void {
  revise(draft, { isCompleted: true, driverId: driverId ?? draft.facts.driverId });
}

/** What follows from the facts, whatever brought them: all of it may be said again. */
export function conclude(draft: Draft, policy: Policy): void {
  fixFee(draft, policy);
  shareWithDriver(draft, policy);
  owe(draft);
}

/** As soon as the price is known: a later change of the policy does not change it. */
function fixFee(draft: Draft, { cancellationFee }: Policy): void {
  const { wish, feeMinor, isOpened, amountMinor } = draft.facts;
  if (wish !== 'fee' || feeMinor !== null || !isOpened) return;
  const fee = feeOf(amountMinor, cancellationFee);
  revise(draft, fee === 0 ? { feeMinor: 0, wish: 'release' } : { feeMinor: fee });
}

/** The share's transaction in the ledger has the order's name, so a second one is none. */
function shareWithDriver(draft: Draft, { driverSharePercent }: Policy): void {
  const { isCompleted, isOpened, driverId, orderId, amountMinor, currency } = draft.facts;
  if (!isCompleted || !isOpened || driverId === null) return;
  const share = shareOf(amountMinor, driverSharePercent);
  if (share > 0) draft.postings.push(postShare({ reference: orderId, amountMinor: share, currency }, driverId));
}

/** An order that was delivered and cannot be paid: told once for each try, owed once. */
function owe(draft: Draft): void {
  const { wish, isOwed, failureReason, paymentId, amountMinor, currency } = draft.facts;
  if (wish !== 'capture' || failureReason !== null) return;
  const status = statusOf(draft.facts, draft.operations);
  if (status !== 'capture_failed' && status !== 'declined') return;
  const reason = failureOf(draft);
  revise(draft, { failureReason: reason, isOwed: true });
  announce(draft, 'payment.capture_failed', { reason });
  if (isOwed || amountMinor === 0) return;
  draft.postings.push(postDebt({ reference: paymentId, amountMinor, currency }));
}

function failureOf({ facts, operations }: Draft): string {
  if (facts.intent === 'declined') return facts.declineReason ?? 'declined';
  const refused = operations.filter(({ kind, status }) => kind === 'capture' && status === 'failed').at(-1);
  return refused?.failureReason ?? 'authorisation_lost';
}

/** A person orders another try of what the provider refused; a lost reservation is made anew. False when nothing was refused. */
export function tryAgain(draft: Draft): boolean {
  const { facts } = draft;
  if (statusOf(facts, draft.operations) !== 'capture_failed') return false;
  const isLost = facts.intent === 'voided';
  revise(draft, {
    attempt: facts.attempt + 1,
    failureReason: null,
    ...(isLost ? { intent: 'unknown', reference: null } : {}),
  });
  return true;
}

/** The provider refused what it was asked for, and nothing has moved. */
export function refuse(draft: Draft, operationId: string, reason: string): void {
  const operation = draft.operations.find((known) => known.operationId === operationId);
  if (operation?.status !== 'pending') return;
  settle(draft, operation, { status: 'failed', reason });
  if (operation.kind === 'refund') {
    revise(draft, { refundReservedMinor: draft.facts.refundReservedMinor - operation.amountMinor });
  }
}
