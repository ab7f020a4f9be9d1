/** Payments as they are shown. */
import type { Queryable, Statement } from '#plugin-api';
import type { Payment, ShownOperation } from '../payment.ts';
import type { Wish } from '../payment-state.ts';

export interface OwnedPayment extends Payment {
  readonly customerId: string | null;
  readonly partnerId: string | null;
}

const columns = `payment_id as "paymentId", order_id as "orderId", status, amount_minor as "amountMinor",
  captured_minor as "capturedMinor", refunded_minor as "refundedMinor", currency, decline_reason as "declineReason",
  created_at as "createdAt", updated_at as "updatedAt", customer_id as "customerId", partner_id as "partnerId"`;

const listPaymentsStatement: Statement = {
  name: 'list_payments_of_order',
  text: `select ${columns} from payments where order_id = $1 order by created_at limit 10`,
};

export async function listPayments(db: Queryable, orderId: string): Promise<readonly OwnedPayment[]> {
  return (await db.query<OwnedPayment>(listPaymentsStatement, [orderId])).rows;
}

export interface DetailedPayment extends OwnedPayment {
  readonly provider: string;
  readonly providerReference: string | null;
  readonly wish: Wish;
  readonly feeMinor: number | null;
  readonly failureReason: string | null;
  readonly isOwed: boolean;
  readonly version: number;
}

const findPaymentStatement: Statement = {
  name: 'find_payment',
  text: `select ${columns}, provider, provider_reference as "providerReference", wish, fee_minor as "feeMinor",
      failure_reason as "failureReason", is_owed as "isOwed", version
    from payments where payment_id = $1`,
};

export async function findPayment(db: Queryable, paymentId: string): Promise<DetailedPayment | undefined> {
  return (await db.query<DetailedPayment>(findPaymentStatement, [paymentId])).rows[0];
}

const operationColumns = `operation_id as "operationId", kind, number, idempotency_key as "idempotencyKey",
  amount_minor as "amountMinor", currency, status, asks, asked_at as "askedAt", answered_at as "answeredAt",
  provider_reference as "providerReference", failure_reason as "failureReason", requested_by as "requestedBy", reason,
  created_at as "createdAt"`;

const showOperationsStatement: Statement = {
  name: 'show_operations',
  text: `select ${operationColumns} from operations where payment_id = $1 order by created_at, kind, number limit 1000`,
};

export async function showOperations(db: Queryable, paymentId: string): Promise<readonly ShownOperation[]> {
  return (await db.query<ShownOperation>(showOperationsStatement, [paymentId])).rows;
}

export interface RefundOperation extends ShownOperation {
  readonly paymentId: string;
}

const showOperationStatement: Statement = {
  name: 'show_operation',
  text: `select ${operationColumns}, payment_id as "paymentId" from operations where operation_id = $1`,
};

export async function showOperation(db: Queryable, operationId: string): Promise<RefundOperation | undefined> {
  return (await db.query<RefundOperation>(showOperationStatement, [operationId])).rows[0];
}
