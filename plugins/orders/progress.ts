import type { PluginContext, Transaction } from '#plugin-api';
import { toEventData } from './event-data.ts';
import type { Refusal } from './errors.ts';
import { transition, type Actor, type OrderAction } from './lifecycle.ts';
import { missingProof } from './missing-proof.ts';
import type { Order } from './order.ts';
import type { ProofStage } from './requirement.ts';
import type { Settings } from './settings.ts';
import { insertHistory, lockOrder, updateOrder, type OrderChanges } from './store/orders.ts';
import type { StoredOrder } from './store/rows.ts';
import { exchangePlace, releasePlace } from './store/windows.ts';
import { placeWanted } from './window.ts';
import { WindowFull } from './window-full.ts';

export interface Step {
  readonly orderId: string;
  readonly action: OrderAction;
  readonly actor: Actor;
  /** Why; of `fail_pickup` one of the list. */
  readonly reason?: string | undefined;
  /** What a person adds to the reason. It stays in the history. */
  readonly remark?: string | undefined;
  readonly traceId: string | null;
  /** The step is for this version of the order alone. */
  readonly expectedVersion?: number | undefined;
  /** Of `assign`. */
  readonly driverId?: string | undefined;
  /** Of `assign` and `unassign`. */
  readonly sequence?: number | undefined;
  /** Of `reschedule`. */
  readonly pickupWindow?: Order['pickupWindow'] | undefined;
}

export interface StepRules {
  readonly settings: Settings;
  readonly nowMs: number;
  /** A step belongs to the trace of the booking, whoever takes it, and when. */
  readonly continueTrace: PluginContext['continueTrace'];
}

export type Outcome =
  | { readonly kind: 'moved'; readonly stored: StoredOrder; readonly from: Order['status'] }
  | { readonly kind: 'unchanged'; readonly stored: StoredOrder }
  | { readonly kind: 'missing' }
  | { readonly kind: 'stale'; readonly version: number }
  | ({ readonly kind: 'refused' } & Refusal);

/**
 * Takes an order one step further: state, history, event and place in its window in one transaction, or none of them. The
 * order is locked, so of those that move it at the same moment each decides by what the one before has made of it.
 *
 * @throws {WindowFull} when there is no place in the new window; the transaction is to be rolled back
 */
export async function takeStep(tx: Transaction, step: Step, rules: StepRules): Promise<Outcome> {
  const stored = await lockOrder(tx, step.orderId);
  return stored === undefined ? { kind: 'missing' } : takeStepOf(tx, stored, { step, rules });
}

interface RuledStep {
  readonly step: Step;
  readonly rules: StepRules;
}

/** The same of an order that this transaction has locked. */
export function takeStepOf(tx: Transaction, stored: StoredOrder, ruled: RuledStep): Promise<Outcome> {
  return ruled.rules.continueTrace(stored.traceparent, () => moveOn(tx, stored, ruled));
}

async function moveOn(tx: Transaction, stored: StoredOrder, { step, rules }: RuledStep): Promise<Outcome> {
  const { pickupAttemptsMax: attemptsMax } = rules.settings;
  const decision = transition(stored.order, { ...step, attemptsMax });
  if (decision.kind === 'hidden') return { kind: 'missing' };
  if (decision.kind === 'unchanged' && isRepeated(stored, step)) return { kind: 'unchanged', stored };
  if (step.expectedVersion !== undefined && step.expectedVersion !== stored.version) {
    return { kind: 'stale', version: stored.version };
  }
  if (decision.kind === 'unchanged') return otherWindow(stored);
  if (decision.kind === 'exhausted') return { ...decision, kind: 'refused', code: 'ORDER_ATTEMPTS_EXHAUSTED' };
  if (decision.kind === 'refused') return { ...decision, code: 'ORDER_STATE_CONFLICT' };
  const unproven = await checkProof(tx, stored, step.action);
  if (unproven !== undefined) return unproven;
  const moved = await updateOrder(tx, stored, { status: decision.to, ...changesOf(stored, step) });
  const { action, actor, reason, remark, traceId } = step;
  const { from, to } = decision;
  const made = { from, actor, reason, attemptsMax: action === 'fail_pickup' ? attemptsMax : undefined };
  await insertHistory(tx, {
    orderId: step.orderId,
    sequence: moved.version,
    action,
    from,
    to,
    actor,
    reason: [reason, remark].filter((part) => part !== undefined).join(': ') || null,
    traceId,
  });
  await tx.events.publish(decision.event, toEventData(moved, made));
  await changePlace(tx, moved, { step, rules });
  return { kind: 'moved', stored: moved, from };
}

/** An order that waits for its pickup is where rescheduling leads, but only the same window makes it a repetition. */
function isRepeated({ order }: StoredOrder, { action, pickupWindow }: Step): boolean {
  if (action !== 'reschedule' || pickupWindow === undefined) return true;
  const sameTime = (a: string, b: string): boolean => Date.parse(a) === Date.parse(b);
  return sameTime(order.pickupWindow.start, pickupWindow.start) && sameTime(order.pickupWindow.end, pickupWindow.end);
}

function otherWindow({ order }: StoredOrder): Outcome {
  const detail = `Cannot reschedule the order: it is '${order.status}' already, for another window`;
  return { kind: 'refused', code: 'ORDER_STATE_CONFLICT', detail };
}

const stages: Partial<Record<OrderAction, ProofStage>> = { pick_up: 'pickup', deliver: 'dropOff' };

async function checkProof(tx: Transaction, stored: StoredOrder, action: OrderAction): Promise<Outcome | undefined> {
  const stage = stages[action];
  const missing = stage === undefined ? [] : await missingProof(tx, stored, stage);
  if (missing.length === 0) return undefined;
  return {
    kind: 'refused',
    code: 'ORDER_PROOF_MISSING',
    detail: `Cannot ${action} the order: there is no proof by ${missing.join(', ')}`,
    extensions: { missing },
  };
}

/** What an action changes of an order beside its status. */
function changesOf({ order }: StoredOrder, step: Step): OrderChanges {
  const { reason, driverId, sequence, pickupWindow } = step;
  switch (step.action) {
    case 'assign':
      return { driverId: driverId ?? null, ...(sequence === undefined ? {} : { assignmentSequence: sequence }) };
    case 'unassign':
      return { driverId: null, ...(sequence === undefined ? {} : { assignmentSequence: sequence }) };
    case 'fail_pickup':
      return { failureReason: reason ?? null };
    case 'reschedule':
      return { driverId: null, attempt: order.attempt + 1, pickupWindow: pickupWindow ?? order.pickupWindow };
    case 'cancel':
      return { cancelReason: reason ?? null };
    default:
      return {};
  }
}

async function changePlace(tx: Transaction, { order }: StoredOrder, { step, rules }: RuledStep): Promise<void> {
  if (step.action === 'cancel') await releasePlace(tx, order.orderId);
  if (step.action !== 'reschedule') return;
  const wanted = placeWanted(order, rules.nowMs, rules.settings);
  if (!(await exchangePlace(tx, order.orderId, wanted))) throw new WindowFull(wanted);
}
