import type { Queryable, Statement } from '#plugin-api';
import type { Difference, DifferenceKind, PaymentHere } from '../reconciliation/compare.ts';
import type { ProviderName } from '../settings.ts';

export interface Run {
  readonly runId: string;
  readonly provider: ProviderName;
  readonly from: string;
  readonly to: string;
  readonly state: 'listing' | 'searching' | 'done';
  readonly cursor: string | null;
}

const runColumns = `run_id as "runId", provider, from_at as "from", to_at as "to", state, cursor`;

const insertRunStatement: Statement = {
  name: 'insert_reconciliation',
  text: `insert into reconciliations (provider, from_at, to_at) values ($1, $2, $3) returning run_id as "runId"`,
};

export async function insertRun(
  db: Queryable,
  run: { readonly provider: ProviderName; readonly from: Date; readonly to: Date },
): Promise<string> {
  const values = [run.provider, run.from.toISOString(), run.to.toISOString()];
  const { rows } = await db.query<{ runId: string }>(insertRunStatement, values);
  return (rows[0] as { runId: string }).runId;
}

const findRunStatement: Statement = {
  name: 'find_reconciliation',
  text: `select ${runColumns} from reconciliations where run_id = $1 and state <> 'done'`,
};

/** Undefined when it is done. */
export async function findRun(db: Queryable, runId: string): Promise<Run | undefined> {
  return (await db.query<Run>(findRunStatement, [runId])).rows[0];
}

const advanceRunStatement: Statement = {
  name: 'advance_reconciliation',
  text: `update reconciliations
    set state = $4, cursor = $5, compared = compared + $6, finished_at = case when $4 = 'done' then now() end
    where run_id = $1 and state = $2 and cursor is not distinct from $3`,
};

export interface Advance {
  readonly state: Run['state'];
  readonly cursor: string | null;
  readonly compared: number;
}

/** False when another job has taken this step. */
export async function advanceRun(db: Queryable, run: Run, next: Advance): Promise<boolean> {
  const values = [run.runId, run.state, run.cursor, next.state, next.cursor, next.compared];
  return (await db.query(advanceRunStatement, values)).rowCount === 1;
}

export interface PaymentToCompare extends PaymentHere {
  readonly paymentId: string;
  readonly orderId: string;
  readonly reference: string | null;
  readonly operationId: string;
}

const compareColumns = `p.payment_id as "paymentId", p.order_id as "orderId", p.provider_reference as reference, p.intent,
  p.amount_minor as "amountMinor", p.captured_minor as "capturedMinor", p.refunded_minor as "refundedMinor", p.currency`;

const findComparedStatement: Statement = {
  name: 'find_payments_to_compare',
  text: `select ${compareColumns}, o.operation_id as "operationId"
    from operations o join payments p on p.payment_id = o.payment_id
    where o.operation_id = any($2::uuid[]) and o.kind = 'authorise' and p.provider = $1
    union
    select ${compareColumns}, o.operation_id
    from payments p join operations o on o.payment_id = p.payment_id and o.kind = 'authorise'
    where p.provider = $1 and p.provider_reference = any($3::text[])`,
};

/** Each by the index that fits: by what made it, and by its reference. */
export async function findCompared(
  db: Queryable,
  seen: { readonly provider: string; readonly operationIds: readonly string[]; readonly references: readonly string[] },
): Promise<readonly PaymentToCompare[]> {
  const values = [seen.provider, seen.operationIds, seen.references];
  return (await db.query<PaymentToCompare>(findComparedStatement, values)).rows;
}

const markSeenStatement: Statement = {
  name: 'mark_payments_seen',
  text: `update payments set seen_by = $1 where payment_id = any($2::uuid[])`,
};

export async function markSeen(db: Queryable, runId: string, paymentIds: readonly string[]): Promise<void> {
  await db.query(markSeenStatement, [runId, paymentIds]);
}

// Created in the span, reserved since before it, or moved in it, as the ledger tells: a window is booked months ahead, and
// the provider's list of a few days does not have such a payment.
const listUnseenStatement: Statement = {
  name: 'list_unseen_payments',
  text: `select ${compareColumns}, o.operation_id as "operationId"
    from payments p join lateral (select operation_id from operations where payment_id = p.payment_id
      and kind = 'authorise' order by number desc limit 1) o on true
    where p.payment_id in (
        select payment_id from payments where created_at >= $2 and created_at < $3
        union
        select payment_id from payments where intent = 'authorised'
        union
        select moved.payment_id from ledger_entries e join ledger_transactions t using (transaction_id)
          join payments moved on moved.order_id = t.order_id
          where e.posted_at >= $2 and e.posted_at < $3)
      and p.provider = $1 and p.provider_reference is not null and p.created_at < $3
      and p.seen_by is distinct from $4 and p.payment_id > coalesce($5::uuid, '00000000-0000-0000-0000-000000000000')
    order by p.payment_id limit $6`,
};

/** What is to be compared and was not in the provider's list. */
export async function listUnseen(db: Queryable, run: Run, limit: number): Promise<readonly PaymentToCompare[]> {
  const values = [run.provider, run.from, run.to, run.runId, run.cursor, limit];
  return (await db.query<PaymentToCompare>(listUnseenStatement, values)).rows;
}

const isBusyStatement: Statement = {
  name: 'is_payment_busy',
  text: `select from operations
    where payment_id = $1 and status = 'pending' and (asked_at is null or asked_at > $2) limit 1`,
};

/** Whether something is under way that was begun lately. */
export async function isBusy(db: Queryable, paymentId: string, since: Date): Promise<boolean> {
  return (await db.query(isBusyStatement, [paymentId, since.toISOString()])).rowCount === 1;
}

export interface DifferenceToKeep {
  readonly run: Run;
  readonly reference: string;
  readonly paymentId: string | null;
  readonly orderId: string | null;
  readonly difference: Difference;
}

const insertDifferenceStatement: Statement = {
  name: 'insert_difference',
  text: `insert into differences (run_id, provider, reference, kind, payment_id, order_id, here, there)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (provider, reference, kind) where resolved_at is null
      do update set seen_at = now(), here = excluded.here, there = excluded.there
    returning xmax = 0 as "isNew"`,
};

/** True when it was not known. */
export async function keepDifference(db: Queryable, found: DifferenceToKeep): Promise<boolean> {
  const { run, difference } = found;
  const { rows } = await db.query<{ isNew: boolean }>(insertDifferenceStatement, [
    run.runId,
    run.provider,
    found.reference,
    difference.kind,
    found.paymentId,
    found.orderId,
    difference.here,
    difference.there,
  ]);
  return rows[0]?.isNew === true;
}

const resolveStatement: Statement = {
  name: 'resolve_differences',
  text: `update differences set resolved_at = now()
    where provider = $1 and reference = any($2::text[]) and resolved_at is null`,
};

/** Both say the same now. */
export async function resolveDifferences(
  db: Queryable,
  provider: string,
  references: readonly string[],
): Promise<void> {
  if (references.length > 0) await db.query(resolveStatement, [provider, references]);
}

export interface ShownDifference {
  readonly differenceId: string;
  readonly runId: string;
  readonly provider: string;
  readonly reference: string;
  readonly kind: DifferenceKind;
  readonly paymentId: string | null;
  readonly orderId: string | null;
  readonly here: string | null;
  readonly there: string | null;
  readonly foundAt: string;
  readonly seenAt: string;
  readonly resolvedAt: string | null;
}

const differenceColumns = `difference_id as "differenceId", run_id as "runId", provider, reference, kind,
  payment_id as "paymentId", order_id as "orderId", here, there, found_at as "foundAt", seen_at as "seenAt",
  resolved_at as "resolvedAt"`;

const listDifferencesStatement: Statement = {
  name: 'list_differences',
  text: `select ${differenceColumns} from differences
    where (not $1 or resolved_at is null) and ($2::timestamptz is null or (found_at, difference_id) < ($2, $3::uuid))
    order by found_at desc, difference_id desc limit $4`,
};

export async function listDifferences(
  db: Queryable,
  page: {
    readonly isOpen: boolean;
    readonly before: { readonly foundAt: string; readonly differenceId: string } | null;
    readonly limit: number;
  },
): Promise<readonly ShownDifference[]> {
  const { isOpen, before, limit } = page;
  const values = [isOpen, before?.foundAt ?? null, before?.differenceId ?? null, limit];
  return (await db.query<ShownDifference>(listDifferencesStatement, values)).rows;
}

const resolveOneStatement: Statement = {
  name: 'resolve_difference',
  text: `update differences set resolved_at = coalesce(resolved_at, now()) where difference_id = $1
    returning ${differenceColumns}`,
};

export async function resolveDifference(db: Queryable, differenceId: string): Promise<ShownDifference | undefined> {
  return (await db.query<ShownDifference>(resolveOneStatement, [differenceId])).rows[0];
}
