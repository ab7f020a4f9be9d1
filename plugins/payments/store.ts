import type { Queryable, Statement } from '#plugin-api';
import type { Payment, PaymentStatus, Settlement } from './payment.ts';

export interface PaymentToInsert {
  readonly orderId: string;
  readonly customerId: string | null;
  readonly partnerId: string | null;
  readonly status: 'pending' | 'cancelled';
  readonly amountMinor: number;
  readonly currency: string;
  readonly method: string;
}

const insertPaymentStatement: Statement = {
  name: 'insert_payment',
  text: `insert into payments (order_id, kind, customer_id, partner_id, status, amount_minor, currency, method)
    values ($1, 'authorisation', $2, $3, $4, $5, $6, $7)
    on conflict (order_id, kind) do nothing
    returning payment_id`,
};

/** False when the order has its payment already. */
export async function insertPayment(db: Queryable, payment: PaymentToInsert): Promise<boolean> {
  const { rowCount } = await db.query(insertPaymentStatement, [
    payment.orderId,
    payment.customerId,
    payment.partnerId,
    payment.status,
    payment.amountMinor,
    payment.currency,
    payment.method,
  ]);
  return rowCount === 1;
}

export interface WaitingPayment {
  readonly orderId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly method: string;
}

const markAskedStatement: Statement = {
  name: 'mark_payment_asked',
  text: `update payments set asked_at = coalesce(asked_at, now()), updated_at = now()
    where order_id = $1 and kind = 'authorisation' and status in ('pending', 'cancelling')
    returning order_id as "orderId", amount_minor as "amountMinor", currency, method`,
};

/** Undefined when the payment waits for no answer: it has one, or the order was cancelled before anybody asked. */
export async function markAsked(db: Queryable, orderId: string): Promise<WaitingPayment | undefined> {
  const { rows } = await db.query<WaitingPayment>(markAskedStatement, [orderId]);
  return rows[0];
}

const lockWaitingStatement: Statement = {
  name: 'lock_waiting_payment',
  text: `select status, customer_id as "customerId" from payments
    where order_id = $1 and kind = 'authorisation' and status in ('pending', 'cancelling')
    for update`,
};

export interface LockedPayment {
  readonly status: 'pending' | 'cancelling';
  readonly customerId: string | null;
}

export async function lockWaiting(db: Queryable, orderId: string): Promise<LockedPayment | undefined> {
  const { rows } = await db.query<LockedPayment>(lockWaitingStatement, [orderId]);
  return rows[0];
}

const recordSettlementStatement: Statement = {
  name: 'record_payment_settlement',
  text: `update payments set status = $2, provider_reference = $3, decline_reason = $4, updated_at = now()
    where order_id = $1 and kind = 'authorisation'`,
};

/** To be called with the row locked. */
export async function recordSettlement(db: Queryable, orderId: string, settlement: Settlement): Promise<void> {
  await db.query(recordSettlementStatement, [
    orderId,
    settlement.to,
    'reference' in settlement ? settlement.reference : null,
    'reason' in settlement ? settlement.reason : null,
  ]);
}

const markGivenUpStatement: Statement = {
  name: 'mark_payment_given_up',
  text: `update payments set status = 'cancelling', updated_at = now()
    where order_id = $1 and kind = 'authorisation' and status = 'pending'
    returning customer_id as "customerId"`,
};

/** Undefined when nobody waits: the payment has its answer, or the order was cancelled. */
export async function markGivenUp(
  db: Queryable,
  orderId: string,
): Promise<Pick<LockedPayment, 'customerId'> | undefined> {
  const { rows } = await db.query<Pick<LockedPayment, 'customerId'>>(markGivenUpStatement, [orderId]);
  return rows[0];
}

const cancelPaymentStatement: Statement = {
  name: 'cancel_payment',
  text: `update payments
    set status = case
        when status = 'authorised' then 'voiding'
        when asked_at is null then 'cancelled'
        else 'cancelling' end,
      updated_at = now()
    where order_id = $1 and kind = 'authorisation' and status in ('pending', 'authorised')
    returning status`,
};

/** The status that the payment has now; undefined when there is none to cancel. */
export async function cancelPayment(db: Queryable, orderId: string): Promise<PaymentStatus | undefined> {
  const { rows } = await db.query<{ status: PaymentStatus }>(cancelPaymentStatement, [orderId]);
  return rows[0]?.status;
}

const findVoidingStatement: Statement = {
  name: 'find_voiding_payment',
  text: `select provider_reference as reference from payments
    where order_id = $1 and kind = 'authorisation' and status = 'voiding'`,
};

/** The provider's reference of a payment that is to be voided. */
export async function findVoiding(db: Queryable, orderId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ reference: string }>(findVoidingStatement, [orderId]);
  return rows[0]?.reference;
}

const markVoidedStatement: Statement = {
  name: 'mark_payment_voided',
  text: `update payments set status = 'voided', updated_at = now()
    where order_id = $1 and kind = 'authorisation' and status = 'voiding'`,
};

export async function markVoided(db: Queryable, orderId: string): Promise<boolean> {
  const { rowCount } = await db.query(markVoidedStatement, [orderId]);
  return rowCount === 1;
}

export interface OwnedPayment extends Payment {
  readonly customerId: string | null;
  readonly partnerId: string | null;
}

const listPaymentsStatement: Statement = {
  name: 'list_payments_of_order',
  text: `select payment_id as "paymentId", order_id as "orderId", status, amount_minor as "amountMinor", currency,
      decline_reason as "declineReason", created_at as "createdAt", updated_at as "updatedAt",
      customer_id as "customerId", partner_id as "partnerId"
    from payments where order_id = $1 order by created_at limit 10`,
};

export async function listPayments(db: Queryable, orderId: string): Promise<readonly OwnedPayment[]> {
  const { rows } = await db.query<OwnedPayment>(listPaymentsStatement, [orderId]);
  return rows;
}
