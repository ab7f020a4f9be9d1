import type { AccessDatabase } from '../access-database.ts';

export interface ApiKeyRecord {
  readonly keyId: string;
  /** Grows with each key: pages are by it. */
  readonly position: number;
  readonly partnerId: string;
  readonly name: string;
  readonly secretHash: Buffer;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly createdBy: { readonly role: string; readonly id: string };
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly replacedBy: string | null;
  readonly lastUsedAt: Date | null;
}

export interface ApiKeyToInsert extends Pick<
  ApiKeyRecord,
  'keyId' | 'partnerId' | 'name' | 'secretHash' | 'scopes' | 'createdBy' | 'expiresAt'
> {
  /** Active keys that the partner may have. */
  readonly activeMax: number;
}

export interface Rotation extends Pick<ApiKeyRecord, 'keyId' | 'secretHash' | 'createdBy'> {
  /** The key that is replaced. */
  readonly replaces: string;
  readonly overlapMs: number;
}

export interface ApiKeyPage {
  /** Null is every partner's. */
  readonly partnerId: string | null;
  readonly before: number | null;
  readonly limit: number;
}

export interface ApiKeyStore {
  find(keyId: string): Promise<ApiKeyRecord | undefined>;
  /** Newest first. */
  list(page: ApiKeyPage): Promise<readonly ApiKeyRecord[]>;
  /** Undefined when the partner has as many active keys as it may have, or there is one of this id. */
  insert(key: ApiKeyToInsert): Promise<ApiKeyRecord | undefined>;
  /**
   * A new key in the place of one that is taken for a while yet; what that one has replaced ends now, so that two are
   * valid at a time. Undefined when the key is not active or was replaced already: of two rotations at once one wins.
   */
  rotate(rotation: Rotation): Promise<ApiKeyRecord | undefined>;
  revoke(keyId: string): Promise<void>;
  /** Writes that it was used, at most once a minute however many nodes ask for it. */
  markUsed(keyId: string): Promise<void>;
}

const columns = `key_id, position, partner_id, name, secret_hash, scopes, created_at, created_by_role, created_by,
  expires_at, revoked_at, replaced_by, last_used_at`;

const findText = `select ${columns} from returnit.api_key where key_id = $1`;

const listText = `select ${columns} from returnit.api_key
where ($1::text is null or partner_id = $1) and ($2::bigint is null or position < $2)
order by position desc limit $3`;

const insertText = `insert into returnit.api_key
  (key_id, family, partner_id, name, secret_hash, scopes, created_by_role, created_by, expires_at)
select $1, gen_random_uuid(), $2, $3, $4, $5, $6, $7, $8
where (select count(*) from returnit.api_key
  where partner_id = $2 and revoked_at is null and (expires_at is null or expires_at > now())) < $9
on conflict (key_id) do nothing
returning ${columns}`;

/** The new key lives as long as the old one was meant to from the day that it was made. */
const rotateText = `with old as (
  select key_id, family, partner_id, name, scopes, expires_at - created_at as life
  from returnit.api_key
  where key_id = $1 and revoked_at is null and replaced_by is null and (expires_at is null or expires_at > now())
  for update
), made as (
  insert into returnit.api_key
    (key_id, family, partner_id, name, secret_hash, scopes, created_by_role, created_by, expires_at)
  select $2, family, partner_id, name, $3, scopes, $4, $5, now() + life from old
  returning ${columns}
), replaced as (
  update returnit.api_key as key
  set replaced_by = $2, expires_at = least(key.expires_at, now() + $6 * interval '1 millisecond')
  from old where key.key_id = old.key_id
), ended as (
  update returnit.api_key as key set expires_at = now()
  from old where key.family = old.family and key.key_id <> old.key_id
    and key.revoked_at is null and (key.expires_at is null or key.expires_at > now())
)
select ${columns} from made`;

const revokeText = `update returnit.api_key set revoked_at = coalesce(revoked_at, now()) where key_id = $1`;

const markUsedText = `update returnit.api_key set last_used_at = now()
where key_id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`;

interface Row {
  readonly key_id: string;
  readonly position: string;
  readonly partner_id: string;
  readonly name: string;
  readonly secret_hash: Buffer;
  readonly scopes: readonly string[];
  readonly created_at: Date;
  readonly created_by_role: string;
  readonly created_by: string;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly replaced_by: string | null;
  readonly last_used_at: Date | null;
}

function toRecord(row: Row): ApiKeyRecord {
  return {
    keyId: row.key_id,
    position: Number(row.position),
    partnerId: row.partner_id,
    name: row.name,
    secretHash: row.secret_hash,
    scopes: row.scopes,
    createdAt: row.created_at,
    createdBy: { role: row.created_by_role, id: row.created_by },
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    replacedBy: row.replaced_by,
    lastUsedAt: row.last_used_at,
  };
}

/** `returnit.api_key`. */
export function createApiKeyStore(database: AccessDatabase): ApiKeyStore {
  const rowsOf = async (name: string, text: string, values: unknown[]): Promise<ApiKeyRecord[]> =>
    ((await database.query({ name, text, values })).rows as readonly Row[]).map(toRecord);
  return {
    find: async (keyId) => (await rowsOf('find_api_key', findText, [keyId]))[0],
    list: ({ partnerId, before, limit }) => rowsOf('list_api_keys', listText, [partnerId, before, limit]),
    async insert({ keyId, partnerId, name, secretHash, scopes, createdBy, expiresAt, activeMax }) {
      const { role, id } = createdBy;
      const values = [keyId, partnerId, name, secretHash, scopes, role, id, expiresAt, activeMax];
      return (await rowsOf('insert_api_key', insertText, values))[0];
    },
    async rotate({ replaces, keyId, secretHash, createdBy, overlapMs }) {
      const values = [replaces, keyId, secretHash, createdBy.role, createdBy.id, overlapMs];
      return (await rowsOf('rotate_api_key', rotateText, values))[0];
    },
    async revoke(keyId) {
      await database.query({ name: 'revoke_api_key', text: revokeText, values: [keyId] });
    },
    async markUsed(keyId) {
      await database.query({ name: 'mark_api_key_used', text: markUsedText, values: [keyId] });
    },
  };
}
