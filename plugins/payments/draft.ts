import type { Posting } from './ledger/postings.ts';
import type { Operation, OperationStatus } from './operation.ts';
import type { PaymentFacts } from './payment-state.ts';
import type { ProviderDispute, ProviderRefund } from './providers/provider.ts';

/** A refund that somebody made in the provider's own dashboard. */
export type ForeignRefund = ProviderRefund;

/**
 * A locked payment while it is being changed: what becomes of it, and what the change means to others. Nothing of it is
 * true before it is saved, in the transaction that holds the lock.
 */
export interface Draft {
  facts: PaymentFacts;
  operations: Operation[];
  /** Operations that have an answer now, by id. */
  readonly settled: Map<string, Operation>;
  readonly foreignRefunds: ForeignRefund[];
  readonly disputes: ProviderDispute[];
  readonly postings: Posting[];
  readonly events: { readonly name: string; readonly data: Readonly<Record<string, unknown>> }[];
}

export function createDraft(facts: PaymentFacts, operations: readonly Operation[]): Draft {
  return {
    facts,
    operations: [...operations],
    settled: new Map(),
    foreignRefunds: [],
    disputes: [],
    postings: [],
    events: [],
  };
}

export function revise(draft: Draft, changes: Partial<PaymentFacts>): void {
  draft.facts = { ...draft.facts, ...changes };
}

/** Of every event: who has to do with the payment, and how much it is about. */
export function baseOf({ facts }: Draft): Readonly<Record<string, unknown>> {
  const { paymentId, orderId, customerId, partnerId, amountMinor, currency } = facts;
  return { paymentId, orderId, customerId, partnerId, amountMinor, currency };
}

export function announce(draft: Draft, name: string, data: Readonly<Record<string, unknown>> = {}): void {
  draft.events.push({ name, data: { ...baseOf(draft), ...data } });
}

export interface Settlement {
  readonly status: OperationStatus;
  readonly reference?: string | null;
  readonly reason?: string | null;
}

export function settle(draft: Draft, operation: Operation, settlement: Settlement): void {
  const settled: Operation = {
    ...operation,
    status: settlement.status,
    providerReference: settlement.reference ?? operation.providerReference,
    failureReason: settlement.reason ?? null,
  };
  draft.operations = draft.operations.map((known) => (known.operationId === operation.operationId ? settled : known));
  draft.settled.set(operation.operationId, settled);
}
