import type { Queryable, Statement } from '#plugin-api';
import type { Account, Posting } from './postings.ts';

const postTransactionStatement: Statement = {
  name: 'post_ledger_transaction',
  text: `with posted as (
      insert into ledger_transactions (reference, kind, order_id) values ($1, $2, $3)
      on conflict (reference) do nothing
      returning transaction_id
    )
    insert into ledger_entries (transaction_id, account, owner, amount_minor, currency)
    select posted.transaction_id, entry.account, entry.owner, entry.amount_minor, $4
    from posted, unnest($5::text[], $6::text[], $7::bigint[]) as entry (account, owner, amount_minor)`,
};

/** Does nothing when the fact stands in the ledger already. */
export async function postTransaction(db: Queryable, posting: Posting, orderId: string | null): Promise<void> {
  const { reference, kind, currency, entries } = posting;
  await db.query(postTransactionStatement, [
    reference,
    kind,
    orderId,
    currency,
    entries.map(({ account }) => account),
    entries.map(({ owner }) => owner ?? ''),
    entries.map(({ amountMinor }) => amountMinor),
  ]);
}

export interface ShownEntry {
  readonly entryId: string;
  readonly transactionId: string;
  readonly kind: string;
  readonly orderId: string | null;
  readonly account: Account;
  readonly owner: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly postedAt: string;
}

export interface EntryFilter {
  readonly account: string | null;
  readonly owner: string | null;
  readonly orderId: string | null;
  /** Entries older than this one; null begins with the newest. */
  readonly before: string | null;
  readonly limit: number;
}

function listStatement(name: string, filter: string): Statement {
  return {
    name,
    text: `select e.entry_id as "entryId", e.transaction_id as "transactionId", t.kind, t.order_id as "orderId", e.account,
        e.owner, e.amount_minor::float8 as "amountMinor", e.currency, e.posted_at as "postedAt"
      from ledger_entries e join ledger_transactions t using (transaction_id)
      where ${filter} and ($2::text is null or e.account = $2) and ($3::text is null or e.owner = $3)
        and ($4::bigint is null or e.entry_id < $4)
      order by e.entry_id desc limit $5`,
  };
}

// A statement for each way to ask, so that each is planned with its own index.
const listStatements = {
  order: listStatement('list_ledger_entries_of_order', 't.order_id = $1'),
  account: listStatement('list_ledger_entries_of_account', '$1::text is null and e.account = $2'),
  all: listStatement('list_ledger_entries', '$1::text is null'),
};

export async function listEntries(db: Queryable, filter: EntryFilter): Promise<readonly ShownEntry[]> {
  const { account, owner, orderId, before, limit } = filter;
  const by = orderId !== null ? 'order' : account !== null ? 'account' : 'all';
  const { rows } = await db.query<ShownEntry>(listStatements[by], [orderId, account, owner, before, limit]);
  return rows;
}

export interface Balance {
  readonly account: Account;
  readonly owner: string;
  readonly currency: string;
  readonly amountMinor: number;
}

const listBalancesStatement: Statement = {
  name: 'list_ledger_balances',
  text: `select account, '' as owner, currency, sum(amount_minor)::float8 as "amountMinor"
    from ledger_entries group by account, currency order by account, currency`,
};

/** Of every account; drivers together. */
export async function listBalances(db: Queryable): Promise<readonly Balance[]> {
  const { rows } = await db.query<Balance>(listBalancesStatement);
  return rows;
}

const driverBalanceStatement: Statement = {
  name: 'sum_driver_balance',
  text: `select currency, -sum(amount_minor)::float8 as "amountMinor"
    from ledger_entries where account = 'driver_payable' and owner = $1 group by currency order by currency`,
};

/** What a driver has earned and not been paid out. */
export async function sumDriverBalance(
  db: Queryable,
  driverId: string,
): Promise<readonly { readonly currency: string; readonly amountMinor: number }[]> {
  const { rows } = await db.query<{ currency: string; amountMinor: number }>(driverBalanceStatement, [driverId]);
  return rows;
}

const sumImbalanceStatement: Statement = {
  name: 'sum_ledger_imbalance',
  text: `select coalesce(sum(abs(imbalance)), 0)::float8 as "imbalanceMinor" from (
      select sum(amount_minor) as imbalance from ledger_entries
      where $1::timestamptz is null or posted_at >= $1
      group by transaction_id, currency having sum(amount_minor) <> 0
    ) as unbalanced`,
};

/** Zero, or somebody has got round the rules. The entries of a transaction have one time, so a span has all of them. */
export async function sumImbalance(db: Queryable, since: Date | null): Promise<number> {
  const { rows } = await db.query<{ imbalanceMinor: number }>(sumImbalanceStatement, [since?.toISOString() ?? null]);
  return rows[0]?.imbalanceMinor ?? 0;
}
