/** A payment is changed under its row's lock: what is decided is decided of what is true at the commit. */
import type { Transaction } from '#plugin-api';
import { createDraft, revise, type Draft } from './draft.ts';
import { postTransaction } from './ledger/ledger-store.ts';
import { attempts, queueOf, type Operation } from './operation.ts';
import { stepDispute } from './observed-moves.ts';
import { plan, statusOf, type NextOperation } from './payment-state.ts';
import { lockDispute, upsertDispute } from './store/disputes.ts';
import {
  insertForeignRefund,
  insertOperation,
  listOperations,
  settleOperation,
  supersedeOperation,
} from './store/operations.ts';
import { lockPayment, updatePayment, type PaymentKey } from './store/payments.ts';
import { conclude, type Policy } from './wishes.ts';

/** Undefined when there is no such payment. */
export async function changePayment(
  tx: Transaction,
  { key, policy }: { readonly key: PaymentKey; readonly policy: Policy },
  change: (draft: Draft) => void,
): Promise<Draft | undefined> {
  const facts = await lockPayment(tx, key);
  if (facts === undefined) return undefined;
  const draft = createDraft(facts, await listOperations(tx, facts.paymentId));
  change(draft);
  for (const dispute of draft.disputes) {
    const before = await lockDispute(tx, facts.provider, dispute.reference);
    stepDispute(draft, dispute, before ?? null);
    await upsertDispute(tx, { provider: facts.provider, paymentId: facts.paymentId, dispute });
  }
  conclude(draft, policy);
  await save(tx, draft);
  return draft;
}

async function save(tx: Transaction, draft: Draft): Promise<void> {
  for (const operation of draft.settled.values()) await settleOperation(tx, operation);
  await openNext(tx, draft);
  for (const refund of draft.foreignRefunds) await insertForeignRefund(tx, draft.facts, refund);
  for (const posting of draft.postings) await postTransaction(tx, posting, draft.facts.orderId);
  await updatePayment(tx, draft.facts, statusOf(draft.facts, draft.operations));
  for (const { name, data } of draft.events) await tx.events.publish(name, data);
}

async function openNext(tx: Transaction, draft: Draft): Promise<void> {
  const { supersede } = plan(draft.facts, draft.operations);
  for (const { operationId } of supersede) await supersedeOperation(tx, operationId);
  // Somebody may have begun to ask at this very moment: what stands there counts.
  if (supersede.length > 0) draft.operations = [...(await listOperations(tx, draft.facts.paymentId))];
  const { open } = plan(draft.facts, draft.operations);
  if (open !== undefined) await openOperation(tx, draft, open);
}

async function openOperation(tx: Transaction, draft: Draft, next: NextOperation): Promise<void> {
  const { facts } = draft;
  const number = draft.operations.filter(({ kind }) => kind === next.kind).length + 1;
  const operation = await insertOperation(tx, { facts, ...next, number, requestedBy: 'policy', reason: null });
  draft.operations = [...draft.operations, operation];
  if (next.kind === 'refund') {
    revise(draft, { refundReservedMinor: facts.refundReservedMinor + next.amountMinor });
  }
  await sendOperation(tx, operation);
}

/** `singletonKey`: for a job that is no more than a reminder. */
export async function sendOperation(
  tx: Transaction,
  { operationId, kind }: Pick<Operation, 'operationId' | 'kind'>,
  singletonKey?: string,
): Promise<void> {
  const { retryLimit } = attempts;
  const options = singletonKey === undefined ? { retryLimit } : { retryLimit, singletonKey };
  await tx.jobs.send(queueOf(kind), { operationId }, options);
}
