import type { Queryable, Statement } from '#plugin-api';
import type { AuthoriseRequest, ProviderDispute, ProviderPayment, ProviderRefund } from './provider.ts';

export interface SandboxAnswer {
  readonly fingerprint: string;
  readonly answer: string;
}

const authoriseOnceStatement: Statement = {
  name: 'sandbox_authorise_once',
  text: `with answered as (
      insert into sandbox_answers (idempotency_key, fingerprint, answer) values ($1, $2, $3)
      on conflict (idempotency_key) do nothing
      returning idempotency_key
    )
    insert into sandbox_payments (reference, operation_id, order_id, method, state, amount_minor, currency, reason)
    select $4, $5, $6, $7, $8, $9, $10, $11 from answered`,
};

export interface SandboxAuthorisation extends SandboxAnswer {
  readonly reference: string;
  readonly state: 'authorised' | 'declined';
  readonly reason: string | null;
}

/** False when the key has its answer already. */
export async function authoriseOnce(
  db: Queryable,
  request: AuthoriseRequest,
  { fingerprint, answer, reference, state, reason }: SandboxAuthorisation,
): Promise<boolean> {
  const { idempotencyKey, operationId, orderId, method, amountMinor, currency } = request;
  const { rowCount } = await db.query(authoriseOnceStatement, [
    idempotencyKey,
    fingerprint,
    answer,
    reference,
    operationId,
    orderId,
    method,
    state,
    amountMinor,
    currency,
    reason,
  ]);
  return rowCount === 1;
}

const insertAnswerStatement: Statement = {
  name: 'sandbox_insert_answer',
  text: `insert into sandbox_answers (idempotency_key, fingerprint, answer) values ($1, $2, $3)
    on conflict (idempotency_key) do nothing`,
};

/** False when the key has its answer already. */
export async function insertAnswer(
  db: Queryable,
  key: string,
  { fingerprint, answer }: SandboxAnswer,
): Promise<boolean> {
  const { rowCount } = await db.query(insertAnswerStatement, [key, fingerprint, answer]);
  return rowCount === 1;
}

const findAnswerStatement: Statement = {
  name: 'sandbox_find_answer',
  text: `select fingerprint, answer from sandbox_answers where idempotency_key = $1`,
};

export async function findAnswer(db: Queryable, key: string): Promise<SandboxAnswer | undefined> {
  const { rows } = await db.query<SandboxAnswer>(findAnswerStatement, [key]);
  return rows[0];
}

const captureStatement: Statement = {
  name: 'sandbox_capture',
  text: `update sandbox_payments set state = 'captured', captured_minor = $2
    where reference = $1 and state = 'authorised' and amount_minor >= $2`,
};
const voidStatement: Statement = {
  name: 'sandbox_void',
  text: `update sandbox_payments set state = 'voided', reason = 'requested_by_customer'
    where reference = $1 and state = 'authorised'`,
};
const refundStatement: Statement = {
  name: 'sandbox_refund',
  text: `insert into sandbox_refunds (reference, payment_reference, operation_id, amount_minor)
    select $3, p.reference, $4, $2 from sandbox_payments p
    where p.reference = $1 and p.state = 'captured' and p.captured_minor - $2 >= (
      select coalesce(sum(r.amount_minor), 0) from sandbox_refunds r where r.payment_reference = p.reference)`,
};

/** False when the payment is not in a state for it. */
export async function captureSandbox(db: Queryable, reference: string, amountMinor: number): Promise<boolean> {
  return (await db.query(captureStatement, [reference, amountMinor])).rowCount === 1;
}

export async function voidSandbox(db: Queryable, reference: string): Promise<boolean> {
  return (await db.query(voidStatement, [reference])).rowCount === 1;
}

export interface SandboxRefund {
  readonly reference: string;
  readonly refundReference: string;
  readonly operationId: string;
  readonly amountMinor: number;
}

/** To be called with the payment locked. */
export async function refundSandbox(db: Queryable, refund: SandboxRefund): Promise<boolean> {
  const { reference, amountMinor, refundReference, operationId } = refund;
  return (await db.query(refundStatement, [reference, amountMinor, refundReference, operationId])).rowCount === 1;
}

const methodStatement: Statement = {
  name: 'sandbox_method',
  text: `select method from sandbox_payments where reference = $1`,
};
const lockStatement: Statement = {
  name: 'sandbox_lock',
  text: `select from sandbox_payments where reference = $1 for update`,
};

/** The token of a payment; undefined when there is none. */
export async function methodOfSandbox(db: Queryable, reference: string): Promise<string | undefined> {
  const { rows } = await db.query<{ method: string }>(methodStatement, [reference]);
  return rows[0]?.method;
}

/** False when there is no such payment. */
export async function lockSandbox(db: Queryable, reference: string): Promise<boolean> {
  return (await db.query(lockStatement, [reference])).rowCount === 1;
}

const upsertDisputeStatement: Statement = {
  name: 'sandbox_upsert_dispute',
  text: `insert into sandbox_disputes (reference, payment_reference, state, amount_minor)
    select $2, reference, $3, captured_minor from sandbox_payments where reference = $1
    on conflict (reference) do update set state = excluded.state`,
};

export async function disputeSandbox(
  db: Queryable,
  dispute: { readonly reference: string; readonly disputeReference: string; readonly state: string },
): Promise<void> {
  await db.query(upsertDisputeStatement, [dispute.reference, dispute.disputeReference, dispute.state]);
}

const columns = `p.reference, p.operation_id as "operationId", p.state, p.amount_minor as "amountMinor",
  p.captured_minor as "capturedMinor", p.currency, p.reason,
  (select coalesce(sum(r.amount_minor), 0)::integer from sandbox_refunds r where r.payment_reference = p.reference)
    as "refundedMinor",
  (select coalesce(json_agg(json_build_object('reference', r.reference, 'operationId', r.operation_id,
      'amountMinor', r.amount_minor, 'state', 'succeeded') order by r.created_at), '[]')
    from sandbox_refunds r where r.payment_reference = p.reference) as refunds,
  (select coalesce(json_agg(json_build_object('reference', d.reference, 'state', d.state, 'amountMinor', d.amount_minor,
      'reason', 'fraudulent')), '[]')
    from sandbox_disputes d where d.payment_reference = p.reference) as disputes`;

interface SandboxRow extends Omit<ProviderPayment, 'refunds' | 'disputes'> {
  readonly refunds: readonly ProviderRefund[];
  readonly disputes: readonly ProviderDispute[];
}

const readStatement: Statement = {
  name: 'sandbox_read',
  text: `select ${columns} from sandbox_payments p where p.reference = $1`,
};
const findStatement: Statement = {
  name: 'sandbox_find',
  text: `select ${columns} from sandbox_payments p where p.operation_id = $1`,
};
const listStatement: Statement = {
  name: 'sandbox_list',
  text: `select ${columns} from sandbox_payments p
    where p.created_at >= $1 and p.created_at < $2 and p.reference > $3 order by p.reference limit $4`,
};

export async function readSandbox(db: Queryable, reference: string): Promise<ProviderPayment | undefined> {
  return (await db.query<SandboxRow>(readStatement, [reference])).rows[0];
}

export async function findSandbox(db: Queryable, operationId: string): Promise<ProviderPayment | undefined> {
  return (await db.query<SandboxRow>(findStatement, [operationId])).rows[0];
}

export async function listSandbox(
  db: Queryable,
  page: { readonly from: Date; readonly to: Date; readonly after: string; readonly limit: number },
): Promise<readonly ProviderPayment[]> {
  const { from, to, after, limit } = page;
  return (await db.query<SandboxRow>(listStatement, [from.toISOString(), to.toISOString(), after, limit])).rows;
}
