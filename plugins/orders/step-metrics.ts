import type { PluginContext } from '#plugin-api';
import type { OrderAction } from './lifecycle.ts';
import type { Outcome } from './progress.ts';

export interface CountedStep {
  readonly action: OrderAction | 'edit';
  readonly outcome: Outcome;
  readonly nowMs: number;
}

export function countStep({ metrics }: Pick<PluginContext, 'metrics'>, { action, outcome, nowMs }: CountedStep): void {
  metrics.increment('returnit_orders_steps_total', { action, outcome: outcome.kind });
  if (action !== 'pick_up' || outcome.kind !== 'moved') return;
  const seconds = (nowMs - Date.parse(outcome.stored.order.createdAt)) / 1000;
  metrics.observe('returnit_orders_pickup_delay_seconds', Math.max(0, seconds));
}
