/** Refunds and disputes that a provider tells of, beside the state of the payment itself. */
import { announce, revise, settle, type Draft } from './draft.ts';
import { postDispute, postDisputeLost, postDisputeWon, postRefund, postRefundReturned } from './ledger/postings.ts';
import type { Operation } from './operation.ts';
import type { ProviderDispute, ProviderRefund } from './providers/provider.ts';

export function observeRefunds(draft: Draft, refunds: readonly ProviderRefund[]): void {
  for (const refund of refunds) {
    const operation = draft.operations.find(
      ({ operationId, providerReference, kind }) =>
        kind === 'refund' && (operationId === refund.operationId || providerReference === refund.reference),
    );
    if (operation === undefined) observeForeign(draft, refund);
    else observeOwn(draft, operation, refund);
  }
}

function observeOwn(draft: Draft, operation: Operation, refund: ProviderRefund): void {
  const { status, providerReference } = operation;
  // Once the provider said that it came back, that is the end: what says otherwise is older.
  const isReturned = status === 'failed' && providerReference !== null;
  if (isReturned || status === refund.state) return;
  if (refund.state === 'succeeded') {
    // A refusal that was none: the amount had been set free.
    if (status === 'failed') reserve(draft, refund.amountMinor);
    countRefund(draft, refund);
  } else {
    if (status === 'succeeded') returnRefund(draft, refund);
    reserve(draft, -refund.amountMinor);
  }
  const reason = refund.state === 'failed' ? 'refund_failed' : null;
  settle(draft, operation, { status: refund.state, reference: refund.reference, reason });
}

function observeForeign(draft: Draft, refund: ProviderRefund): void {
  // One that came to nothing before anybody here knew of it.
  if (refund.state === 'failed') return;
  reserve(draft, refund.amountMinor);
  countRefund(draft, refund);
  draft.foreignRefunds.push(refund);
}

function reserve(draft: Draft, amountMinor: number): void {
  revise(draft, { refundReservedMinor: draft.facts.refundReservedMinor + amountMinor });
}

function countRefund(draft: Draft, { reference, amountMinor }: ProviderRefund): void {
  const refundedMinor = draft.facts.refundedMinor + amountMinor;
  revise(draft, { refundedMinor });
  draft.postings.push(postRefund({ reference, amountMinor, currency: draft.facts.currency }));
  announce(draft, 'payment.refunded', { amountMinor, refundedMinor });
}

function returnRefund(draft: Draft, { reference, amountMinor }: ProviderRefund): void {
  revise(draft, { refundedMinor: draft.facts.refundedMinor - amountMinor });
  draft.postings.push(postRefundReturned({ reference, amountMinor, currency: draft.facts.currency }));
}

/** Only collects: what is new of a dispute is known when it is written. */
export function observeDisputes(draft: Draft, disputes: readonly ProviderDispute[]): void {
  draft.disputes.push(...disputes);
}

/** What is to be posted and told when a dispute has come this far; `before` is null when it is new. */
export function stepDispute(draft: Draft, dispute: ProviderDispute, before: ProviderDispute['state'] | null): void {
  const { reference, amountMinor, state, reason } = dispute;
  const fact = { reference, amountMinor, currency: draft.facts.currency };
  const tell = (state: ProviderDispute['state']): void =>
    announce(draft, 'payment.disputed', { disputeId: reference, state, reason, amountMinor });
  if (before === null) {
    draft.postings.push(postDispute(fact));
    tell('opened');
  }
  if (state === 'opened' || (before !== null && before !== 'opened')) return;
  draft.postings.push(state === 'won' ? postDisputeWon(fact) : postDisputeLost(fact));
  tell(state);
}
