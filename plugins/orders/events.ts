import type { PluginContext, Transaction } from '#plugin-api';
import { takeStep, type Step } from './progress.ts';

interface PaymentDeclined {
  readonly orderId: string;
  readonly reason: string;
}

interface DriverAssigned {
  readonly orderId: string;
  readonly driverId: string;
}

/** How often a step is tried when others move the same order: each of them takes it further, and the way has 7 steps. */
const attemptsMax = 8;

export function registerEvents(ctx: PluginContext): void {
  ctx.events.on<{ readonly orderId: string }>('payment.authorised', (event, tx) =>
    follow(ctx, tx, {
      orderId: event.data.orderId,
      action: 'schedule',
      actor: { kind: 'system', id: 'payments' },
    }),
  );

  ctx.events.on<PaymentDeclined>('payment.declined', (event, tx) =>
    follow(ctx, tx, {
      orderId: event.data.orderId,
      action: 'cancel',
      actor: { kind: 'system', id: 'payments' },
      reason: `payment declined: ${event.data.reason}`.slice(0, 200),
    }),
  );

  ctx.events.on<DriverAssigned>('driver.assigned', (event, tx) =>
    follow(ctx, tx, {
      orderId: event.data.orderId,
      action: 'assign',
      actor: { kind: 'system', id: 'drivers' },
      driverId: event.data.driverId,
    }),
  );
}

/**
 * An event may come when the order has gone another way, such as cancelled while it was paid for. That is no failure:
 * `order.cancelled` was published, and whoever holds money or a driver for the order lets go of it then.
 */
async function follow(ctx: PluginContext, tx: Transaction, step: Step): Promise<void> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const outcome = await takeStep(tx, step);
    if (outcome.kind === 'raced') continue;
    ctx.metrics.increment('returnit_orders_steps_total', { action: step.action, outcome: outcome.kind });
    if (outcome.kind !== 'moved') {
      ctx.log.info('event did not move the order', {
        orderId: step.orderId,
        action: step.action,
        outcome: outcome.kind,
      });
    }
    return;
  }
  throw new Error(`Cannot ${step.action} order '${step.orderId}': it was changed ${attemptsMax} times meanwhile`);
}
