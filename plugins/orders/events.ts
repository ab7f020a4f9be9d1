import type { PluginContext, Transaction } from '#plugin-api';
import { followAssignment } from './assigning.ts';
import { noDriver } from './failure-reasons.ts';
import type { Actor, OrderAction } from './lifecycle.ts';
import { takeStepOf, type Step, type StepRules } from './progress.ts';
import type { Settings } from './settings.ts';
import { countStep } from './step-metrics.ts';
import { lockOrder } from './store/orders.ts';
import type { StoredOrder } from './store/rows.ts';

interface OfOrder {
  readonly orderId: string;
}

interface PaymentNews extends OfOrder {
  /** Why it was declined, or failed. */
  readonly reason?: string;
  /** Of `payment.captured`: what was paid for. Missing in events from before there were fees. */
  readonly purpose?: string;
}

interface AssignmentData extends OfOrder {
  readonly driverId: string;
  /** Missing in events from before orders could be assigned again. */
  readonly attempt?: number;
  readonly sequence?: number;
  readonly reason?: string;
}

interface DriverUnavailable extends OfOrder {
  readonly attempt: number;
  /** Nobody looks for one any more: the window is over. */
  readonly final: boolean;
}

interface DriverArrived extends OfOrder {
  readonly driverId: string;
  readonly stop: string;
  /** When the driver was there. */
  readonly at: string;
}

export interface EventOptions {
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const payments: Actor = { kind: 'system', id: 'payments' };
const drivers: Actor = { kind: 'system', id: 'drivers' };
const tracking: Actor = { kind: 'system', id: 'tracking' };

/** Of a handler that needs nothing but the event: how the order moves. Undefined when the event says nothing of that. */
const paymentSteps: Readonly<Record<string, (news: PaymentNews) => Pick<Step, 'action' | 'reason'> | undefined>> = {
  'payment.authorised': () => ({ action: 'schedule' }),
  // A fee is for what was not done.
  'payment.captured': ({ purpose }) => (purpose === 'cancellation_fee' ? undefined : { action: 'complete' }),
  'payment.declined': ({ reason }) => ({ action: 'cancel', reason: toReason('declined', reason) }),
  'payment.failed': ({ reason }) => ({ action: 'cancel', reason: toReason('failed', reason) }),
};

const toReason = (outcome: string, reason = 'no reason'): string => `payment ${outcome}: ${reason}`.slice(0, 200);

export function registerEvents(ctx: PluginContext, { settings, now }: EventOptions): void {
  const rules = (): StepRules => ({ settings, nowMs: now(), continueTrace: ctx.continueTrace });

  for (const [event, toStep] of Object.entries(paymentSteps)) {
    ctx.events.on<PaymentNews>(event, async ({ data }, tx) => {
      const { orderId } = data;
      const move = toStep(data);
      if (move === undefined) return;
      const step = { ...move, orderId, actor: payments, traceId: traceOf(ctx) };
      await takeEventStep(ctx, tx, { step, rules: rules() });
    });
  }

  for (const [kind, action] of [
    ['assigned', 'assign'],
    ['unassigned', 'unassign'],
  ] as const) {
    ctx.events.on<AssignmentData>(`driver.${kind}`, async ({ data }, tx) => {
      const { orderId, driverId, attempt, sequence = 1, reason } = data;
      const news = { kind, driverId, attempt, sequence };
      const { kind: outcome } = await followAssignment(tx, { orderId, news, reason, traceId: traceOf(ctx) }, rules());
      ctx.metrics.increment('returnit_orders_steps_total', { action, outcome });
      logUnmoved(ctx, { orderId, action, outcome });
    });
  }

  ctx.events.on<DriverUnavailable>('driver.unavailable', async ({ data: { orderId, attempt, final } }, tx) => {
    if (!final) return;
    const step = { orderId, action: 'fail_pickup', actor: drivers, reason: noDriver, traceId: traceOf(ctx) } as const;
    await takeEventStep(ctx, tx, { step, rules: rules(), isMeant: ({ order }) => order.attempt === attempt });
  });

  ctx.events.on<DriverArrived>('driver.arrived', async ({ data }, tx) => {
    if (data.stop !== 'pickup') return;
    const step = { orderId: data.orderId, action: 'arrive', actor: tracking, traceId: traceOf(ctx) } as const;
    await takeEventStep(ctx, tx, { step, rules: rules(), isMeant: (stored) => isOfThisTry(stored, data) });
  });
}

const traceOf = (ctx: PluginContext): string | null => ctx.traceId() ?? null;

interface EventStep {
  readonly step: Step;
  readonly rules: StepRules;
  /** Whether the event is about the order as it is now. @default it is */
  readonly isMeant?: (stored: StoredOrder) => boolean;
}

async function takeEventStep(
  ctx: PluginContext,
  tx: Transaction,
  { step, rules, isMeant = () => true }: EventStep,
): Promise<void> {
  const { orderId, action } = step;
  const stored = await lockOrder(tx, orderId);
  const outcome =
    stored !== undefined && isMeant(stored)
      ? await takeStepOf(tx, stored, { step, rules })
      : ({ kind: 'missing' } as const);
  countStep(ctx, { action, outcome, nowMs: rules.nowMs });
  logUnmoved(ctx, { orderId, action, outcome: outcome.kind });
}

/** Whether the driver whom the order has now was there since it has it: a late event may be of an earlier try. */
function isOfThisTry({ order, assignedAt }: StoredOrder, { driverId, at }: DriverArrived): boolean {
  return order.driverId === driverId && assignedAt !== null && Date.parse(at) >= Date.parse(assignedAt);
}

/**
 * An event may come when the order has gone another way, such as cancelled while it was paid for. That is no failure:
 * `order.cancelled` was published, and whoever holds money or a driver for the order lets go of it then.
 */
function logUnmoved(
  ctx: PluginContext,
  fields: { readonly orderId: string; readonly action: OrderAction; readonly outcome: string },
): void {
  if (fields.outcome !== 'moved') ctx.log.info('event did not move the order', fields);
}
