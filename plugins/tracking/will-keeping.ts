import type { PluginContext } from '#plugin-api';
import type { ParsedMessage } from './parse.ts';
import { recordWills } from './store/presence.ts';
import type { Will } from './will.ts';

/** To be called after the fixes of the batch are stored: what a device sent before its will must not look newer than it. */
export type KeepWills = (parsed: readonly ParsedMessage[]) => Promise<void>;

export function createWillKeeping(ctx: PluginContext): KeepWills {
  return async function keepWills(parsed) {
    const wills = parsed.flatMap((result): Will[] => (result.kind === 'will' ? [result.will] : []));
    if (wills.length === 0) return;
    const used = await recordWills(ctx.db, wills);
    const late = wills.length - used;
    if (used > 0) ctx.metrics.increment('returnit_tracking_wills_total', { outcome: 'used' }, used);
    if (late > 0) ctx.metrics.increment('returnit_tracking_wills_total', { outcome: 'late' }, late);
  };
}
