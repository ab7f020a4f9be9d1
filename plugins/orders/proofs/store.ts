import type { Queryable, Statement } from '#plugin-api';
import type { Actor } from '../lifecycle.ts';
import type { ProofKind, ProofStage } from '../requirement.ts';
import type { NewProof, ProofRecord } from './proof.ts';

export interface ProofToInsert {
  readonly orderId: string;
  readonly stage: ProofStage;
  readonly attempt: number;
  readonly actor: Actor;
  readonly proof: NewProof;
}

const insertProofStatement: Statement = {
  name: 'insert_proof',
  text: `insert into order_proofs (order_id, stage, attempt, given_by_kind, given_by, recorded_at, lat, lon, accuracy_m,
      codes, signed_by, remark)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text[], $11, $12)`,
};

export async function insertProof(tx: Queryable, given: ProofToInsert): Promise<void> {
  const { orderId, stage, attempt, actor, proof } = given;
  await tx.query(insertProofStatement, [
    orderId,
    stage,
    attempt,
    actor.kind,
    actor.id,
    proof.recordedAt,
    proof.position?.lat ?? null,
    proof.position?.lon ?? null,
    proof.position?.accuracyM ?? null,
    proof.scans ?? [],
    proof.signedBy ?? null,
    proof.remark ?? null,
  ]);
}

const hasProofStatement: Statement = {
  name: 'has_proof',
  text: `select from order_proofs where order_id = $1 and stage = $2 and attempt = $3 and given_by_kind = $4
    and given_by = $5 and recorded_at = $6`,
};

/** Whether the same person has given one of the same moment. */
export async function hasProof(tx: Queryable, given: ProofToInsert): Promise<boolean> {
  const { orderId, stage, attempt, actor, proof } = given;
  const { rowCount } = await tx.query(hasProofStatement, [
    orderId,
    stage,
    attempt,
    actor.kind,
    actor.id,
    proof.recordedAt,
  ]);
  return rowCount > 0;
}

export type StoredProof = Omit<ProofRecord, 'position'> & {
  readonly stage: ProofStage;
  readonly lat: number | null;
  readonly lon: number | null;
  readonly accuracyM: number | null;
};

const listProofsStatement: Statement = {
  name: 'list_proofs',
  text: `select stage, attempt, json_build_object('kind', given_by_kind, 'id', given_by) as "givenBy",
      recorded_at as "recordedAt", received_at as "receivedAt", lat, lon, accuracy_m as "accuracyM", codes as scans,
      signed_by as "signedBy", remark
    from order_proofs where order_id = $1 order by received_at, recorded_at limit 1000`,
};

/** Oldest first. What an order may have of them is bounded when they are put in. */
export async function listProofs(db: Queryable, orderId: string): Promise<readonly StoredProof[]> {
  const { rows } = await db.query<StoredProof>(listProofsStatement, [orderId]);
  return rows;
}

const countProofsStatement: Statement = {
  name: 'count_proofs',
  text: `select count(*)::integer as count from order_proofs where order_id = $1 and stage = $2`,
};

export async function countProofs(tx: Queryable, orderId: string, stage: ProofStage): Promise<number> {
  const { rows } = await tx.query<{ readonly count: number }>(countProofsStatement, [orderId, stage]);
  return rows[0]?.count ?? 0;
}

export interface ProofQuestion {
  readonly orderId: string;
  readonly stage: ProofStage;
  readonly attempt: number;
  readonly driverId: string | null;
}

const findGivenStatement: Statement = {
  name: 'find_given_proof',
  // Of this try, and by the driver that the order has now: who gave it back proves nothing for the next.
  text: `with files as (
      select kind from order_documents where order_id = $1 and stage = $2 and attempt = $3
        and (uploaded_by_kind = 'ops' or uploaded_by = $4)
    ), records as (
      select codes, lat from order_proofs where order_id = $1 and stage = $2 and attempt = $3
        and (given_by_kind = 'ops' or given_by = $4)
    )
    select exists (select from files where kind = 'photo') as photo,
      exists (select from files where kind = 'signature') as signature,
      exists (select from records where lat is not null) as position,
      not exists (select from order_parcels where order_id = $1
        and code not in (select unnest(codes) from records)) as scan`,
};

/** Which kinds of proof there are; of scans only when each parcel was scanned. */
export async function findGiven(db: Queryable, question: ProofQuestion): Promise<Readonly<Record<ProofKind, boolean>>> {
  const { orderId, stage, attempt, driverId } = question;
  const { rows } = await db.query<Record<ProofKind, boolean>>(findGivenStatement, [orderId, stage, attempt, driverId]);
  const [row] = rows;
  if (row === undefined) throw new TypeError('A question without a condition returned no row');
  return row;
}

const findUnscannedStatement: Statement = {
  name: 'find_unscanned_parcels',
  text: `select code from order_parcels where order_id = $1 and code not in (
      select unnest(codes) from order_proofs where order_id = $1 and stage = $2 and attempt = $3
        and (given_by_kind = 'ops' or given_by = $4))
    order by position limit 50`,
};

/** Parcels that nobody has scanned yet. */
export async function findUnscanned(db: Queryable, question: ProofQuestion): Promise<readonly string[]> {
  const { orderId, stage, attempt, driverId } = question;
  const { rows } = await db.query<{ readonly code: string }>(findUnscannedStatement, [
    orderId,
    stage,
    attempt,
    driverId,
  ]);
  return rows.map(({ code }) => code);
}
