import type { Transaction } from '#plugin-api';
import { decideAssignment, type AssignmentNews } from './assignment.ts';
import type { Actor } from './lifecycle.ts';
import { takeStepOf, type Outcome, type StepRules } from './progress.ts';
import { lockOrder, noteAssignment } from './store/orders.ts';

const drivers: Actor = { kind: 'system', id: 'drivers' };

export interface Assigning {
  readonly orderId: string;
  readonly news: Omit<AssignmentNews, 'attempt'> & { readonly attempt: number | undefined };
  readonly reason?: string | undefined;
  readonly traceId: string | null;
}

export type AssigningOutcome =
  | { readonly kind: 'missing' | 'stale' | 'noted' }
  | { readonly kind: 'moved'; readonly outcomes: readonly Outcome[] };

/** Does what news of an assignment say, unless newer ones are known. */
export async function followAssignment(
  tx: Transaction,
  { orderId, news, reason, traceId }: Assigning,
  rules: StepRules,
): Promise<AssigningOutcome> {
  let stored = await lockOrder(tx, orderId);
  if (stored === undefined) return { kind: 'missing' };
  const { attempt = stored.order.attempt } = news;
  const decision = decideAssignment(
    { ...stored.order, assignmentSequence: stored.assignmentSequence },
    { ...news, attempt },
  );
  if (decision.kind === 'stale') return decision;
  if (decision.kind === 'noted') {
    await noteAssignment(tx, orderId, news.sequence);
    return decision;
  }
  const outcomes: Outcome[] = [];
  for (const action of decision.actions) {
    const isEnd = action === 'unassign';
    const step = {
      orderId,
      action,
      actor: drivers,
      driverId: isEnd ? undefined : news.driverId,
      sequence: news.sequence,
      // An end that only follows from the next assignment has no reason of its own.
      reason: isEnd ? (reason ?? 'reassigned') : undefined,
      traceId,
    };
    const outcome = await takeStepOf(tx, stored, { step, rules });
    if (outcome.kind !== 'moved') throw new TypeError(`Cannot ${action} order '${orderId}': the decision was another`);
    outcomes.push(outcome);
    ({ stored } = outcome);
  }
  return { kind: 'moved', outcomes };
}
