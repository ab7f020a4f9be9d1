import type { Queryable, Statement } from '#plugin-api';
import { operationKey, type Operation, type OperationKind, type Requester } from '../operation.ts';
import type { PaymentFacts } from '../payment-state.ts';
import type { ProviderRefund } from '../providers/provider.ts';
import type { ProviderName } from '../settings.ts';

const columns = `operation_id as "operationId", kind, number, amount_minor as "amountMinor", status, asked_at as "askedAt",
  provider_reference as "providerReference", failure_reason as "failureReason", requested_by as "requestedBy"`;

const listOperationsStatement: Statement = {
  name: 'list_operations',
  text: `select ${columns} from operations where payment_id = $1 order by number, created_at limit 1000`,
};

/** Of each kind the oldest first. */
export async function listOperations(db: Queryable, paymentId: string): Promise<readonly Operation[]> {
  const { rows } = await db.query<Operation>(listOperationsStatement, [paymentId]);
  return rows;
}

export interface OperationToInsert {
  readonly facts: Pick<PaymentFacts, 'paymentId' | 'orderId' | 'currency'>;
  /** @default a new one */
  readonly operationId?: string;
  readonly kind: OperationKind;
  readonly number: number;
  readonly amountMinor: number;
  readonly requestedBy: Requester;
  readonly reason: string | null;
}

const insertOperationStatement: Statement = {
  name: 'insert_operation',
  text: `insert into operations (operation_id, payment_id, order_id, kind, number, idempotency_key, amount_minor, currency,
      requested_by, reason)
    values (coalesce($1, gen_random_uuid()), $2, $3, $4, $5, $6, $7, $8, $9, $10)
    returning ${columns}`,
};

/** To be called with the payment locked: the number is then the next one. */
export async function insertOperation(db: Queryable, operation: OperationToInsert): Promise<Operation> {
  const { facts, kind, number } = operation;
  const { rows } = await db.query<Operation>(insertOperationStatement, [
    operation.operationId ?? null,
    facts.paymentId,
    facts.orderId,
    kind,
    number,
    operationKey(facts.orderId, kind, number),
    operation.amountMinor,
    facts.currency,
    operation.requestedBy,
    operation.reason,
  ]);
  return rows[0] as Operation;
}

const insertForeignRefundStatement: Statement = {
  name: 'insert_foreign_refund',
  text: `insert into operations (payment_id, order_id, kind, number, idempotency_key, amount_minor, currency, status,
      asked_at, answered_at, provider_reference, requested_by)
    select $1, $2, 'refund', coalesce(max(number), 0) + 1, 'provider:' || $5, $3, $4, 'succeeded', now(), now(), $5, 'provider'
    from operations where order_id = $2 and kind = 'refund'`,
};

/** A refund that was made at the provider: nobody here will ask for it, so its key is only a name. */
export async function insertForeignRefund(
  db: Queryable,
  facts: Pick<PaymentFacts, 'paymentId' | 'orderId' | 'currency'>,
  refund: ProviderRefund,
): Promise<void> {
  await db.query(insertForeignRefundStatement, [
    facts.paymentId,
    facts.orderId,
    refund.amountMinor,
    facts.currency,
    refund.reference,
  ]);
}

const settleOperationStatement: Statement = {
  name: 'settle_operation',
  text: `update operations
    set status = $2, provider_reference = $3, failure_reason = $4, answered_at = coalesce(answered_at, now())
    where operation_id = $1`,
};
const supersedeOperationStatement: Statement = {
  name: 'supersede_operation',
  text: `update operations set status = 'superseded'
    where operation_id = $1 and status = 'pending' and asked_at is null`,
};

export async function settleOperation(db: Queryable, operation: Operation): Promise<void> {
  const { operationId, status, providerReference, failureReason } = operation;
  await db.query(settleOperationStatement, [operationId, status, providerReference, failureReason]);
}

/** Does nothing when somebody has begun to ask meanwhile: then its answer is waited for. */
export async function supersedeOperation(db: Queryable, operationId: string): Promise<void> {
  await db.query(supersedeOperationStatement, [operationId]);
}

/** All that a provider must be told. */
export interface AskedOperation extends Operation {
  readonly paymentId: string;
  readonly orderId: string;
  readonly idempotencyKey: string;
  readonly currency: string;
  readonly method: string;
  readonly provider: ProviderName;
  /** Of the payment; null before it is authorised. */
  readonly reference: string | null;
  /** With this one. */
  readonly asks: number;
}

const markAskedStatement: Statement = {
  name: 'mark_operation_asked',
  text: `update operations o set asked_at = coalesce(o.asked_at, now()), asks = o.asks + 1
    from payments p
    where o.operation_id = $1 and o.status = 'pending' and p.payment_id = o.payment_id
    returning o.operation_id as "operationId", o.kind, o.number, o.amount_minor as "amountMinor", o.status,
      o.asked_at as "askedAt", o.provider_reference as "providerReference", o.failure_reason as "failureReason",
      o.requested_by as "requestedBy", o.payment_id as "paymentId", o.order_id as "orderId",
      o.idempotency_key as "idempotencyKey", o.currency, p.method, p.provider, p.provider_reference as reference, o.asks`,
};

/** Undefined when there is nothing to ask: it has its answer, or is not wanted any more. */
export async function markAsked(db: Queryable, operationId: string): Promise<AskedOperation | undefined> {
  const { rows } = await db.query<AskedOperation>(markAskedStatement, [operationId]);
  return rows[0];
}

const findFirstStatement: Statement = {
  name: 'find_first_operation',
  text: `select operation_id as "operationId" from operations where order_id = $1 and kind = $2 and number = 1`,
};

/** Of jobs that were sent before operations had ids. */
export async function findFirstOperation(
  db: Queryable,
  orderId: string,
  kind: OperationKind,
): Promise<string | undefined> {
  const { rows } = await db.query<{ operationId: string }>(findFirstStatement, [orderId, kind]);
  return rows[0]?.operationId;
}

const listStaleStatement: Statement = {
  name: 'list_stale_operations',
  text: `select operation_id as "operationId", kind from operations
    where status = 'pending' and created_at < now() - interval '1 day' order by created_at limit 1000`,
};

/** Unanswered for so long that their jobs may have ended among the dead letters. */
export async function listStaleOperations(
  db: Queryable,
): Promise<readonly { readonly operationId: string; readonly kind: OperationKind }[]> {
  const { rows } = await db.query<{ operationId: string; kind: OperationKind }>(listStaleStatement);
  return rows;
}
