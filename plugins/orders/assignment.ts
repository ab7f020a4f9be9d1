import type { OrderState, OrderStatus } from './lifecycle.ts';

/** `driver.assigned` or `driver.unassigned`. */
export interface AssignmentNews {
  readonly kind: 'assigned' | 'unassigned';
  readonly driverId: string;
  /** The try of the pickup that it is about. */
  readonly attempt: number;
  /** Grows with each assignment of the order and each end of one. */
  readonly sequence: number;
}

export type AssignmentDecision =
  /** Something newer is known. */
  | { readonly kind: 'stale' }
  /** It changes nothing now, and whatever is older changes nothing later. */
  | { readonly kind: 'noted' }
  | { readonly kind: 'steps'; readonly actions: readonly ('assign' | 'unassign')[] };

/** Without the parcels: the order can still be given to another driver. */
const held: ReadonlySet<OrderStatus> = new Set(['assigned', 'on_the_way', 'arrived']);

/**
 * What news of an assignment do to an order, in whatever order they come. An assignment whose predecessor's end is not known
 * yet ends it: who reads the order's events sees each driver let go before the next one has it.
 */
export function decideAssignment(
  order: OrderState & { readonly assignmentSequence: number },
  news: AssignmentNews,
): AssignmentDecision {
  if (news.sequence <= order.assignmentSequence) return { kind: 'stale' };
  if (news.attempt !== order.attempt) return { kind: 'noted' };
  if (news.kind === 'unassigned') {
    return held.has(order.status) ? { kind: 'steps', actions: ['unassign'] } : { kind: 'noted' };
  }
  if (order.status === 'scheduled') return { kind: 'steps', actions: ['assign'] };
  if (!held.has(order.status) || order.driverId === news.driverId) return { kind: 'noted' };
  return { kind: 'steps', actions: ['unassign', 'assign'] };
}
