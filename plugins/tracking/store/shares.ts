import type { Database, Principal, Queryable, Statement } from '#plugin-api';

/** A share link as those see it who may make one. */
export interface Share {
  readonly shareId: string;
  readonly orderId: string;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly revokedAt: string | null;
}

const columns = `share_id as "shareId", order_id as "orderId", created_by_role || ':' || created_by as "createdBy",
      created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"`;

// What ended long ago goes when a new one comes: the table needs no job of its own.
const insertShareStatement: Statement = {
  name: 'insert_share',
  text: `with gone as (delete from share_links where expires_at < now() - interval '90 days')
    insert into share_links (share_id, order_id, created_by_role, created_by, expires_at)
    select $1::uuid, $2::uuid, $3, $4, $5::timestamptz
    where (select count(*) from share_links
      where order_id = $2::uuid and revoked_at is null and expires_at > now()) < $6
    returning ${columns}`,
};

export interface NewShare {
  readonly shareId: string;
  readonly orderId: string;
  readonly by: Principal;
  readonly expiresAt: string;
  /** Links of one order that are open at a time. */
  readonly openMax: number;
}

// Of all orders for a moment: a plugin may not take advisory locks, and an order's first link has no row to lock.
const lockSharesStatement: Statement = {
  name: 'lock_shares',
  text: 'lock table share_links in share row exclusive mode',
};

/** Undefined when the order has as many open links as it may, also when many ask at once. */
export async function insertShare(db: Database, share: NewShare): Promise<Share | undefined> {
  const { shareId, orderId, by, expiresAt, openMax } = share;
  return db.transaction(async (tx) => {
    // A statement sees what was committed before it began: counted after the lock, not in the same statement.
    await tx.query(lockSharesStatement, []);
    const values = [shareId, orderId, by.role, by.id, expiresAt, openMax];
    const { rows } = await tx.query<Share>(insertShareStatement, values);
    return rows[0];
  });
}

const listSharesStatement: Statement = {
  name: 'list_shares',
  text: `select ${columns} from share_links where order_id = $1::uuid order by created_at desc limit 100`,
};

/** The newest hundred, newest first. */
export async function listShares(db: Queryable, orderId: string): Promise<readonly Share[]> {
  const { rows } = await db.query<Share>(listSharesStatement, [orderId]);
  return rows;
}

// Revoking twice is the same as once, and the first one stays on record.
const revokeShareStatement: Statement = {
  name: 'revoke_share',
  text: `update share_links
    set revoked_at = coalesce(revoked_at, now()), revoked_by_role = coalesce(revoked_by_role, $3),
      revoked_by = coalesce(revoked_by, $4)
    where share_id = $1::uuid and order_id = $2::uuid
    returning ${columns}`,
};

/** Undefined when the order has no such link. */
export async function revokeShare(
  db: Queryable,
  share: { readonly shareId: string; readonly orderId: string; readonly by: Principal },
): Promise<Share | undefined> {
  const { shareId, orderId, by } = share;
  const { rows } = await db.query<Share>(revokeShareStatement, [shareId, orderId, by.role, by.id]);
  return rows[0];
}

const isOpenStatement: Statement = {
  name: 'is_share_open',
  text: `select from share_links
    where share_id = $1::uuid and order_id = $2::uuid and revoked_at is null and expires_at > now()`,
};

/** Whether the link is one of this order, and neither revoked nor expired. */
export async function isShareOpen(db: Queryable, shareId: string, orderId: string): Promise<boolean> {
  const { rows } = await db.query(isOpenStatement, [shareId, orderId]);
  return rows.length > 0;
}
