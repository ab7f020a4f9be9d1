import type { Queryable } from '#plugin-api';
import { findGiven } from './proofs/store.ts';
import type { ProofKind, ProofStage } from './requirement.ts';
import type { StoredOrder } from './store/rows.ts';

/**
 * The kinds of proof that an order still lacks at a stage, asked in the transaction of the step that needs them. The order
 * is locked then, by whoever gives a proof as well: none can go or come between the question and the step.
 */
export async function missingProof(
  tx: Queryable,
  { order }: StoredOrder,
  stage: ProofStage,
): Promise<readonly ProofKind[]> {
  const required = order.proofRequired[stage];
  if (required.length === 0) return [];
  const given = await findGiven(tx, { ...order, stage });
  return required.filter((kind) => !given[kind]);
}
