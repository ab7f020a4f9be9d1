import type { Queryable } from '#plugin-api';
import type { ProofKind, ProofStage } from './requirement.ts';
import type { StoredOrder } from './store/rows.ts';

/**
 * The kinds of proof that an order still lacks at a stage, asked in the transaction of the step that needs them. None can
 * be given yet, so whatever is required is missing.
 */
export function missingProof(_tx: Queryable, { order }: StoredOrder, stage: ProofStage): Promise<readonly ProofKind[]> {
  return Promise.resolve(order.proofRequired[stage]);
}
