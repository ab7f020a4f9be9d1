import type { AccessDatabase } from '../access-database.ts';

/** The answer to a request with a key, as it is kept. */
export interface KeptAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Null where there is none, or where it was too large. */
  readonly body: string | null;
  readonly isBodyKept: boolean;
}

export interface ClaimRequest {
  readonly id: Buffer;
  readonly fingerprint: Buffer;
  /** Unguessable and new: what is kept must be of the request that holds the claim. */
  readonly claim: string;
  /** Longer than any handler may take. */
  readonly lockMs: number;
  readonly retentionMs: number;
}

export type ClaimOutcome =
  | { readonly kind: 'claimed' }
  | { readonly kind: 'answered'; readonly fingerprint: Buffer; readonly answer: KeptAnswer }
  /** Another request is being done. */
  | { readonly kind: 'running'; readonly fingerprint: Buffer }
  /** Written between this statement's view of the table and its insert: to be asked again. */
  | { readonly kind: 'unseen' };

export interface IdempotencyStore {
  claim(request: ClaimRequest): Promise<ClaimOutcome>;
  /** False when the claim was lost: its lock was over, and another request took it. */
  keep(id: Buffer, claim: string, answer: KeptAnswer): Promise<boolean>;
  /** Forgets the claim: the next request with the key is done as the first. */
  release(id: Buffer, claim: string): Promise<void>;
  /** Forgets answers older than the retention, `batchMax` at a time; returns how many were in this batch. */
  forget(retentionMs: number, batchMax: number): Promise<number>;
}

/**
 * Takes the key when nobody has it, when whoever had it has ended without an answer, or when its answer is out of date;
 * tells what there is otherwise. A claim that was lost is taken up with the same parameters alone.
 */
const claimText = `with claimed as (
  insert into returnit.idempotency_key as held (id, fingerprint, claim, locked_until)
  values ($1, $2, $3, now() + $4 * interval '1 millisecond')
  on conflict (id) do update
  set fingerprint = excluded.fingerprint, claim = excluded.claim, locked_until = excluded.locked_until, created_at = now(),
    status = null, content_type = null, headers = null, body = null, is_body_kept = null
  where (held.status is null and held.locked_until < now() and held.fingerprint = excluded.fingerprint)
    or held.created_at < now() - $5 * interval '1 millisecond'
  returning true
)
select own.is_claimed, held.fingerprint, held.status, held.content_type, held.headers, held.body, held.is_body_kept
from (select exists (select from claimed) as is_claimed) as own
left join returnit.idempotency_key as held on held.id = $1 and not own.is_claimed`;

const keepText = `update returnit.idempotency_key
set status = $3, content_type = $4, headers = $5, body = $6, is_body_kept = $7
where id = $1 and claim = $2 and status is null`;

const releaseText = `delete from returnit.idempotency_key where id = $1 and claim = $2 and status is null`;

const forgetText = `delete from returnit.idempotency_key where id in (
  select id from returnit.idempotency_key where created_at < now() - $1 * interval '1 millisecond'
  order by created_at limit $2 for update skip locked)`;

interface ClaimRow {
  readonly is_claimed: boolean;
  readonly fingerprint: Buffer | null;
  readonly status: number | null;
  readonly content_type: string | null;
  readonly headers: Record<string, string> | null;
  readonly body: string | null;
  readonly is_body_kept: boolean | null;
}

/** `returnit.idempotency_key`: one statement for the claim, one for the answer. */
export function createIdempotencyStore(database: AccessDatabase): IdempotencyStore {
  return {
    async claim({ id, fingerprint, claim, lockMs, retentionMs }) {
      const values = [id, fingerprint, claim, lockMs, retentionMs];
      const { rows } = await database.query({ name: 'claim_idempotency_key', text: claimText, values });
      return toOutcome((rows as readonly ClaimRow[])[0]);
    },
    async keep(id, claim, { status, contentType, headers, body, isBodyKept }) {
      const values = [id, claim, status, contentType, JSON.stringify(headers), body, isBodyKept];
      const { rowCount } = await database.query({ name: 'keep_idempotent_answer', text: keepText, values });
      return rowCount === 1;
    },
    async release(id, claim) {
      await database.query({ name: 'release_idempotency_key', text: releaseText, values: [id, claim] });
    },
    async forget(retentionMs, batchMax) {
      const values = [retentionMs, batchMax];
      return (await database.query({ name: 'forget_idempotency_keys', text: forgetText, values })).rowCount ?? 0;
    },
  };
}

function toOutcome(row: ClaimRow | undefined): ClaimOutcome {
  if (row?.is_claimed === true) return { kind: 'claimed' };
  if (row === undefined || row.fingerprint === null) return { kind: 'unseen' };
  const { fingerprint, status, content_type: contentType, headers, body, is_body_kept: isBodyKept } = row;
  if (status === null) return { kind: 'running', fingerprint };
  return {
    kind: 'answered',
    fingerprint,
    answer: { status, contentType, headers: headers ?? {}, body, isBodyKept: isBodyKept === true },
  };
}
