import type { Queryable, Statement } from '#plugin-api';
import type { PaymentFacts, PaymentStatus } from '../payment-state.ts';

const facts = `payment_id as "paymentId", order_id as "orderId", customer_id as "customerId", partner_id as "partnerId",
  provider, provider_reference as reference, opened_at is not null as "isOpened", amount_minor as "amountMinor", currency,
  attempt, intent, wish, wish_version as "wishVersion", given_up_at is not null as "isGivenUp", fee_minor as "feeMinor",
  captured_minor as "capturedMinor", refund_reserved_minor as "refundReservedMinor", refunded_minor as "refundedMinor",
  decline_reason as "declineReason", failure_reason as "failureReason", is_owed as "isOwed", driver_id as "driverId",
  completed_at is not null as "isCompleted", version`;

export type PaymentKey = { readonly paymentId: string } | { readonly orderId: string };

const lockByIdStatement: Statement = {
  name: 'lock_payment',
  text: `select ${facts} from payments where payment_id = $1 for update`,
};
const lockByOrderStatement: Statement = {
  name: 'lock_payment_of_order',
  text: `select ${facts} from payments where order_id = $1 and kind = 'authorisation' for update`,
};

export async function lockPayment(db: Queryable, key: PaymentKey): Promise<PaymentFacts | undefined> {
  const { rows } =
    'paymentId' in key
      ? await db.query<PaymentFacts>(lockByIdStatement, [key.paymentId])
      : await db.query<PaymentFacts>(lockByOrderStatement, [key.orderId]);
  return rows[0];
}

export interface PaymentToOpen {
  readonly orderId: string;
  readonly customerId: string | null;
  readonly partnerId: string | null;
  readonly provider: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly method: string;
}

const openPaymentStatement: Statement = {
  name: 'open_payment',
  text: `insert into payments (order_id, kind, customer_id, partner_id, provider, status, amount_minor, currency, method,
      opened_at)
    values ($1, 'authorisation', $2, $3, $4, 'pending', $5, $6, $7, now())
    on conflict (order_id, kind) do update
      set customer_id = excluded.customer_id, partner_id = excluded.partner_id, provider = excluded.provider,
        amount_minor = excluded.amount_minor, currency = excluded.currency, method = excluded.method, opened_at = now()
      where payments.opened_at is null
    returning payment_id as "paymentId", wish = 'hold' and completed_at is null as "isFresh"`,
};

export interface OpenedPayment {
  readonly paymentId: string;
  /** False when other events of the order came first: what they said stays, and counts now. */
  readonly isFresh: boolean;
}

/** Undefined when the order has its payment already. */
export async function openPayment(db: Queryable, payment: PaymentToOpen): Promise<OpenedPayment | undefined> {
  const { rows } = await db.query<OpenedPayment>(openPaymentStatement, [
    payment.orderId,
    payment.customerId,
    payment.partnerId,
    payment.provider,
    payment.amountMinor,
    payment.currency,
    payment.method,
  ]);
  return rows[0];
}

const expectPaymentStatement: Statement = {
  name: 'expect_payment',
  text: `insert into payments (order_id, kind, status, amount_minor, currency, method)
    values ($1, 'authorisation', 'awaited', 0, '', '')
    on conflict (order_id, kind) do nothing`,
};

/** A place for what is known of an order before `order.created` has come; does nothing once it has. */
export async function expectPayment(db: Queryable, orderId: string): Promise<void> {
  await db.query(expectPaymentStatement, [orderId]);
}

const updatePaymentStatement: Statement = {
  name: 'update_payment',
  text: `update payments
    set status = $2, provider_reference = $3, attempt = $4, intent = $5, wish = $6, wish_version = $7,
      given_up_at = case when $8 then coalesce(given_up_at, now()) end, fee_minor = $9, captured_minor = $10,
      refund_reserved_minor = $11, refunded_minor = $12, decline_reason = $13, failure_reason = $14, is_owed = $15,
      driver_id = $16, completed_at = case when $17 then coalesce(completed_at, now()) end,
      version = version + 1, updated_at = now()
    where payment_id = $1`,
};

/** To be called with the row locked. */
export async function updatePayment(db: Queryable, facts: PaymentFacts, status: PaymentStatus): Promise<void> {
  await db.query(updatePaymentStatement, [
    facts.paymentId,
    status,
    facts.reference,
    facts.attempt,
    facts.intent,
    facts.wish,
    facts.wishVersion,
    facts.isGivenUp,
    facts.feeMinor,
    facts.capturedMinor,
    facts.refundReservedMinor,
    facts.refundedMinor,
    facts.declineReason,
    facts.failureReason,
    facts.isOwed,
    facts.driverId,
    facts.isCompleted,
  ]);
}

const reserveRefundStatement: Statement = {
  name: 'reserve_refund',
  text: `update payments
    set refund_reserved_minor = refund_reserved_minor + $2, status = 'refunding', version = version + 1, updated_at = now()
    where payment_id = $1 and intent = 'captured' and captured_minor - refund_reserved_minor >= $2
      and ($3::integer is null or version = $3)
    returning ${facts}`,
};

/** The one place where money to be given back is set aside: of refunds at once none goes above what was captured. */
export async function reserveRefund(
  db: Queryable,
  refund: { readonly paymentId: string; readonly amountMinor: number; readonly version: number | null },
): Promise<PaymentFacts | undefined> {
  const { rows } = await db.query<PaymentFacts>(reserveRefundStatement, [
    refund.paymentId,
    refund.amountMinor,
    refund.version,
  ]);
  return rows[0];
}

const findPaymentIdStatement: Statement = {
  name: 'find_payment_of_reference',
  text: `select payment_id as "paymentId" from payments where provider = $1 and provider_reference = $2
    union all
    select payment_id from operations where operation_id = $3 and kind = 'authorise'
    limit 1`,
};

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** By the provider's reference, or, while that is not known here, by the operation that made it. */
export async function findPaymentId(
  db: Queryable,
  seen: { readonly provider: string; readonly reference: string; readonly operationId: string | null },
): Promise<string | undefined> {
  const { rows } = await db.query<{ paymentId: string }>(findPaymentIdStatement, [
    seen.provider,
    seen.reference,
    seen.operationId !== null && uuid.test(seen.operationId) ? seen.operationId : null,
  ]);
  return rows[0]?.paymentId;
}

const findPaymentOfStatement: Statement = {
  name: 'find_payment_of_operation',
  text: `select payment_id as "paymentId" from operations where operation_id = $1`,
};

export async function findPaymentOf(db: Queryable, operationId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ paymentId: string }>(findPaymentOfStatement, [operationId]);
  return rows[0]?.paymentId;
}
