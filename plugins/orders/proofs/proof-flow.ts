import type { Database, Queryable } from '#plugin-api';
import type { Refusal } from '../errors.ts';
import type { Document } from '../documents/document.ts';
import { listDocuments } from '../documents/store.ts';
import { distanceM } from '../distance.ts';
import { maySee, type Actor, type OrderStatus } from '../lifecycle.ts';
import { missingProof } from '../missing-proof.ts';
import { proofStages, type ProofStage } from '../requirement.ts';
import { lockOrder } from '../store/orders.ts';
import type { StoredOrder } from '../store/rows.ts';
import type { NewProof, Proof, ProofRecord } from './proof.ts';
import { countProofs, hasProof, insertProof, listProofs, type StoredProof } from './store.ts';

/** When proof of a stage can be given: from when the driver is there until the order is over. */
export const provableStatuses: Readonly<Record<ProofStage, readonly OrderStatus[]>> = {
  pickup: ['on_the_way', 'arrived', 'picked_up', 'delivered'],
  dropOff: ['picked_up', 'delivered'],
};

export interface ProofToGive {
  readonly orderId: string;
  readonly stage: ProofStage;
  readonly actor: Actor;
  readonly proof: NewProof;
}

export interface ProofRules {
  /** Records of a stage. */
  readonly max: number;
  readonly nowMs: number;
}

export type ProofOutcome =
  | { readonly kind: 'stored' | 'repeated'; readonly proof: Proof }
  | { readonly kind: 'missing' }
  | ({ readonly kind: 'refused' } & Refusal);

/** Phones' clocks go wrong by a little. */
const futureToleranceMs = 300_000;

/** Adds what was said at a stop. Nothing that was said before is changed by it. */
export async function giveProof(db: Database, given: ProofToGive, rules: ProofRules): Promise<ProofOutcome> {
  return db.transaction(async (tx) => {
    const { orderId, stage, actor, proof } = given;
    const stored = await lockOrder(tx, orderId);
    if (stored === undefined || !maySee(stored.order, actor)) return { kind: 'missing' };
    const toInsert = { orderId, stage, attempt: stored.order.attempt, actor, proof };
    // Whatever has become of the order since: its sender has not heard that it is there.
    if (await hasProof(tx, toInsert)) return { kind: 'repeated', proof: await readStage(tx, stored, stage) };
    const refusal = checkProof(stored, given, rules) ?? (await checkCount(tx, given, rules.max));
    if (refusal !== undefined) return { kind: 'refused', ...refusal };
    await insertProof(tx, toInsert);
    return { kind: 'stored', proof: await readStage(tx, stored, stage) };
  });
}

function checkProof({ order }: StoredOrder, { stage, proof }: ProofToGive, { nowMs }: ProofRules): Refusal | undefined {
  const allowed = provableStatuses[stage];
  if (!allowed.includes(order.status)) {
    const when = allowed.map((status) => `'${status}'`).join(', ');
    const detail = `Cannot give this proof: the order is '${order.status}'; it must be one of ${when}`;
    return { code: 'ORDER_STATE_CONFLICT', detail };
  }
  const invalid = (detail: string): Refusal => ({ code: 'ORDER_PROOF_INVALID', detail });
  const recordedMs = Date.parse(proof.recordedAt);
  if (recordedMs > nowMs + futureToleranceMs) return invalid(`'recordedAt' must not lie in the future`);
  if (recordedMs < Date.parse(order.createdAt)) return invalid(`'recordedAt' must not lie before the order was booked`);
  const own = new Set(order.parcels.map(({ code }) => code));
  const foreign = proof.scans?.find((code) => !own.has(code));
  return foreign === undefined ? undefined : invalid(`'scans' must be parcels of this order: '${foreign}' is none`);
}

async function checkCount(tx: Queryable, { orderId, stage }: ProofToGive, max: number): Promise<Refusal | undefined> {
  const count = await countProofs(tx, orderId, stage);
  if (count < max) return undefined;
  return { code: 'ORDER_DOCUMENTS_FULL', detail: `Cannot add to the proof: it has ${count} records, ${max} at most` };
}

/** All that proves the stages of an order. */
export async function readProofs(db: Queryable, stored: StoredOrder): Promise<readonly Proof[]> {
  const [records, documents] = await Promise.all([
    listProofs(db, stored.order.orderId),
    listDocuments(db, stored.order.orderId),
  ]);
  return Promise.all(proofStages.map((stage) => toProof(db, stored, { stage, records, documents })));
}

async function readStage(db: Queryable, stored: StoredOrder, stage: ProofStage): Promise<Proof> {
  const records = await listProofs(db, stored.order.orderId);
  const documents = await listDocuments(db, stored.order.orderId);
  return toProof(db, stored, { stage, records, documents });
}

interface StageParts {
  readonly stage: ProofStage;
  readonly records: readonly StoredProof[];
  readonly documents: readonly Document[];
}

async function toProof(db: Queryable, stored: StoredOrder, { stage, records, documents }: StageParts): Promise<Proof> {
  const { order } = stored;
  const stop = stage === 'pickup' ? order.pickup : order.destination.address;
  return {
    stage,
    required: [...order.proofRequired[stage]],
    missing: [...(await missingProof(db, stored, stage))],
    records: records.filter((record) => record.stage === stage).map((record) => toRecord(record, stop)),
    documents: documents.filter((document) => document.stage === stage),
  };
}

function toRecord(
  { stage: _stage, lat, lon, accuracyM, ...record }: StoredProof,
  stop: { readonly lat: number; readonly lon: number },
): ProofRecord {
  if (lat === null || lon === null) return { ...record, position: null };
  return { ...record, position: { lat, lon, accuracyM, distanceM: Math.round(distanceM({ lat, lon }, stop)) } };
}
