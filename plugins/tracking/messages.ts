import type { PluginContext, Verdict } from '#plugin-api';
import { parseMessage, type Fix } from './fix.ts';
import { publishMoved } from './fan-out.ts';
import { storeFixes } from './store/fixes.ts';

const batch = { batchSizeMax: 500, batchWaitMs: 20 } as const;

/** GPS of devices: our own format, and OwnTracks. */
export function registerMessages(ctx: PluginContext, now: () => number): void {
  for (const filter of ['drivers/+/location', 'owntracks/+/+']) {
    ctx.mqtt.subscribe(filter, batch, async (messages) => {
      const nowMs = now();
      const parsed = messages.map((message) => parseMessage(message, nowMs));
      const fixes = parsed.flatMap((result): Fix[] => (result.kind === 'fix' ? [result.fix] : []));
      // A throw leaves the whole batch unacknowledged, and it comes again: what is stored by then is known then.
      if (fixes.length > 0) await take(ctx, fixes);
      return parsed.map((result): Verdict => {
        if (result.kind !== 'rejected') return 'accepted';
        ctx.metrics.increment('returnit_tracking_rejected_total', { reason: result.reason });
        return { rejected: result.reason };
      });
    });
  }
}

async function take(ctx: PluginContext, fixes: readonly Fix[]): Promise<void> {
  const { stored, moved } = await storeFixes(ctx.db, fixes);
  if (stored > 0) ctx.metrics.increment('returnit_tracking_fixes_total', { outcome: 'stored' }, stored);
  const known = fixes.length - stored;
  if (known > 0) ctx.metrics.increment('returnit_tracking_fixes_total', { outcome: 'known' }, known);
  await publishMoved(ctx, moved);
}
