import type { PluginContext } from '#plugin-api';
import { forgetMessages, forgetProgress } from './store/retention.ts';

/** In one statement: no lock is held for long. */
const batchMax = 1000;

export interface RetentionOptions {
  readonly nowMs: number;
  readonly retentionMs: number;
  readonly signal: AbortSignal;
}

/** Deletes messages older than they are kept, and with them what was known of their orders. */
export async function forgetOld(
  ctx: Pick<PluginContext, 'db' | 'metrics'>,
  { nowMs, retentionMs, signal }: RetentionOptions,
): Promise<void> {
  const before = new Date(nowMs - retentionMs).toISOString();
  for (const forget of [forgetMessages, forgetProgress]) {
    let deleted = batchMax;
    while (deleted === batchMax && !signal.aborted) {
      deleted = await forget(ctx.db, before, batchMax);
      if (forget === forgetMessages && deleted > 0) {
        ctx.metrics.increment('returnit_notifications_forgotten_total', {}, deleted);
      }
    }
  }
}
