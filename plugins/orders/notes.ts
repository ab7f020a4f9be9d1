import type { PluginContext, Transaction } from '#plugin-api';
import { toEventData } from './event-data.ts';
import { mayEdit, maySee, type Actor } from './lifecycle.ts';
import type { Outcome } from './progress.ts';
import { insertHistory, lockOrder, updateOrder } from './store/orders.ts';
import type { StoredOrder } from './store/rows.ts';

export interface NotesEdit {
  readonly orderId: string;
  readonly actor: Actor;
  readonly notes: string | null;
  readonly traceId: string | null;
  readonly expectedVersion: number | undefined;
  readonly continueTrace: PluginContext['continueTrace'];
}

/** Changes what the driver is told of an order. It is a version and a line of history, and leaves the status as it is. */
export async function editNotes(tx: Transaction, edit: NotesEdit): Promise<Outcome> {
  const { orderId, actor, notes, expectedVersion } = edit;
  const stored = await lockOrder(tx, orderId);
  if (stored === undefined || !maySee(stored.order, actor)) return { kind: 'missing' };
  const { status } = stored.order;
  if (stored.order.notes === notes) return { kind: 'unchanged', stored };
  if (expectedVersion !== undefined && expectedVersion !== stored.version) {
    return { kind: 'stale', version: stored.version };
  }
  if (!mayEdit(stored.order, actor)) {
    const detail = `Cannot edit the order: it is '${status}'; ${actor.kind} may until it is ${actor.kind === 'ops' ? 'over' : 'assigned'}`;
    return { kind: 'refused', code: 'ORDER_STATE_CONFLICT', detail };
  }
  return edit.continueTrace(stored.traceparent, () => change(tx, stored, edit));
}

async function change(tx: Transaction, stored: StoredOrder, edit: NotesEdit): Promise<Outcome> {
  const { orderId, actor, notes, traceId } = edit;
  const { status } = stored.order;
  const changed = await updateOrder(tx, stored, { notes });
  await insertHistory(tx, {
    orderId,
    sequence: changed.version,
    action: 'edit',
    from: status,
    to: status,
    actor,
    reason: 'notes changed',
    traceId,
  });
  await tx.events.publish('order.updated', toEventData(changed, { from: status, actor }));
  return { kind: 'moved', stored: changed, from: status };
}
