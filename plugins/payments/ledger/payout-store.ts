import type { Queryable, Statement } from '#plugin-api';

export interface Payout {
  readonly payoutId: string;
  readonly driverId: string;
  readonly currency: string;
  readonly number: number;
  readonly amountMinor: number;
  readonly status: 'created' | 'paid';
  readonly createdAt: string;
  readonly paidAt: string | null;
}

const columns = `payout_id as "payoutId", driver_id as "driverId", currency, number, amount_minor::float8 as "amountMinor",
  status, created_at as "createdAt", paid_at as "paidAt"`;

const createPayoutsStatement: Statement = {
  name: 'create_payouts',
  text: `with balances as (
      select owner, currency, -sum(amount_minor) as amount from ledger_entries
      where account = 'driver_payable' group by owner, currency having -sum(amount_minor) >= $1
    ), created as (
      insert into payouts (driver_id, currency, number, amount_minor)
      select owner, currency, 1 + (select count(*) from payouts p where p.driver_id = owner and p.currency = balances.currency),
        amount
      from balances
      on conflict (driver_id, currency, number) do nothing
      returning payout_id, driver_id, currency, amount_minor
    ), posted as (
      insert into ledger_transactions (reference, kind) select 'payout:' || payout_id, 'payout' from created
      returning transaction_id, reference
    )
    insert into ledger_entries (transaction_id, account, owner, amount_minor, currency)
    select posted.transaction_id, side.account, side.owner, side.amount_minor, created.currency
    from created join posted on posted.reference = 'payout:' || created.payout_id,
      lateral (values ('driver_payable', created.driver_id, created.amount_minor),
        ('payouts_under_way', '', -created.amount_minor)) as side (account, owner, amount_minor)`,
};

/**
 * One statement, so that balance and number are of one moment: of two runs at once one finds the other's number taken.
 *
 * @returns how many
 */
export async function createPayouts(db: Queryable, minMinor: number): Promise<number> {
  const { rowCount } = await db.query(createPayoutsStatement, [minMinor]);
  return rowCount / 2;
}

const markPaidStatement: Statement = {
  name: 'mark_payout_paid',
  text: `update payouts set status = 'paid', paid_at = now() where payout_id = $1 and status = 'created'
    returning ${columns}`,
};

/** Undefined when there is none that waits for it. */
export async function markPaid(db: Queryable, payoutId: string): Promise<Payout | undefined> {
  const { rows } = await db.query<Payout>(markPaidStatement, [payoutId]);
  return rows[0];
}

const findPayoutStatement: Statement = {
  name: 'find_payout',
  text: `select ${columns} from payouts where payout_id = $1`,
};

export async function findPayout(db: Queryable, payoutId: string): Promise<Payout | undefined> {
  const { rows } = await db.query<Payout>(findPayoutStatement, [payoutId]);
  return rows[0];
}

export interface PayoutFilter {
  readonly driverId: string | null;
  /** Payouts older than this one; null begins with the newest. */
  readonly before: { readonly createdAt: string; readonly payoutId: string } | null;
  readonly limit: number;
}

const listPayoutsStatement: Statement = {
  name: 'list_payouts',
  text: `select ${columns} from payouts
    where ($1::text is null or driver_id = $1)
      and ($2::timestamptz is null or (created_at, payout_id) < ($2, $3::uuid))
    order by created_at desc, payout_id desc limit $4`,
};

export async function listPayouts(db: Queryable, filter: PayoutFilter): Promise<readonly Payout[]> {
  const { driverId, before, limit } = filter;
  const { rows } = await db.query<Payout>(listPayoutsStatement, [
    driverId,
    before?.createdAt ?? null,
    before?.payoutId ?? null,
    limit,
  ]);
  return rows;
}
