import type { PluginContext, Transaction } from '#plugin-api';
import { takeStep, type Step } from './progress.ts';

interface PaymentRefused {
  readonly orderId: string;
  readonly reason: string;
}

interface DriverAssigned {
  readonly orderId: string;
  readonly driverId: string;
}

export function registerEvents(ctx: PluginContext): void {
  ctx.events.on<{ readonly orderId: string }>('payment.authorised', (event, tx) =>
    follow(ctx, tx, {
      orderId: event.data.orderId,
      action: 'schedule',
      actor: { kind: 'system', id: 'payments' },
    }),
  );

  for (const outcome of ['declined', 'failed']) {
    ctx.events.on<PaymentRefused>(`payment.${outcome}`, (event, tx) =>
      follow(ctx, tx, {
        orderId: event.data.orderId,
        action: 'cancel',
        actor: { kind: 'system', id: 'payments' },
        reason: `payment ${outcome}: ${event.data.reason}`.slice(0, 200),
      }),
    );
  }

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
  const outcome = await takeStep(tx, step);
  if (outcome.kind === 'raced')
    throw new Error(`Cannot ${step.action} order '${step.orderId}': others keep changing it`);
  ctx.metrics.increment('returnit_orders_steps_total', { action: step.action, outcome: outcome.kind });
  if (outcome.kind === 'moved') return;
  const { orderId, action } = step;
  ctx.log.info('event did not move the order', { orderId, action, outcome: outcome.kind });
}
