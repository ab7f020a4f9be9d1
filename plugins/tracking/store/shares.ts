import type { Database, Principal, Queryable, ShareLink, Statement } from '#plugin-api';

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

// Of all orders, for links are rare, and a plugin has no advisory locks. Who asks whether one is open does not wait.
const lockSharesStatement: Statement = {
  name: 'lock_shares',
  text: 'lock table share_links in share row exclusive mode',
};

const countOpenSharesStatement: Statement = {
  name: 'count_open_shares',
  text: `select count(*)::int as open from share_links
    where order_id = $1::uuid and revoked_at is null and expires_at > now()`,
};

// What ended long ago goes when a new one comes: the table needs no job of its own.
const insertShareStatement: Statement = {
  name: 'insert_share',
  text: `with gone as (delete from share_links where expires_at < now() - interval '90 days')
    insert into share_links (share_id, order_id, created_by_role, created_by, expires_at)
    values ($1::uuid, $2::uuid, $3, $4, $5::timestamptz)
    returning ${columns}`,
};

const findShareStatement: Statement = {
  name: 'find_share',
  text: `select ${columns} from share_links where share_id = $1::uuid and order_id = $2::uuid`,
};

export interface NewShare {
  /** Of a link that is there already: that one is answered. */
  readonly shareId: string;
  readonly orderId: string;
  readonly by: Principal;
  /** Links of one order that are open at a time. */
  readonly openMax: number;
  readonly expiresInSeconds: number;
  /** Called when there is room for one more, or for the rest of the time of one that is there. */
  readonly issue: (expiresInSeconds: number) => Promise<ShareLink>;
}

export interface IssuedShare extends Share, Pick<ShareLink, 'token'> {
  readonly isRepeated: boolean;
}

/** Undefined when the order has as many open links as it may, also when many ask at once: then none is issued. */
export async function createShare(
  db: Database,
  { shareId, orderId, by, openMax, expiresInSeconds, issue }: NewShare,
): Promise<IssuedShare | undefined> {
  return db.transaction(async (tx) => {
    // A statement sees what was committed before it began: so the lock is one of its own.
    await tx.query(lockSharesStatement);
    const [known] = (await tx.query<Share>(findShareStatement, [shareId, orderId])).rows;
    if (known !== undefined) return { ...known, token: (await issue(restSeconds(known))).token, isRepeated: true };
    const counted = await tx.query<{ open: number }>(countOpenSharesStatement, [orderId]);
    if ((counted.rows[0]?.open ?? 0) >= openMax) return undefined;
    const { token, expiresAt } = await issue(expiresInSeconds);
    const { rows } = await tx.query<Share>(insertShareStatement, [shareId, orderId, by.role, by.id, expiresAt]);
    return rows[0] === undefined ? undefined : { ...rows[0], token, isRepeated: false };
  });
}

/** A token that has expired opens nothing, and neither does one of a link that is over: one second is the least there is. */
const restSeconds = ({ expiresAt }: Share): number =>
  Math.max(1, Math.round((Date.parse(expiresAt) - Date.now()) / 1000));

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
