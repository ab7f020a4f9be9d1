import type { PluginContext, Verdict } from '#plugin-api';
import type { Intake } from './intake.ts';

const batch = { batchSizeMax: 500, batchWaitMs: 20, batchesMax: 2, handOverRefused: true } as const;

/** GPS of devices: our own format, and OwnTracks. */
export function registerMessages(ctx: PluginContext, intake: Intake): void {
  for (const filter of ['drivers/+/location', 'drivers/+/status', 'owntracks/+/+']) {
    ctx.mqtt.subscribe(filter, batch, async (messages) => {
      // A throw leaves the whole batch unacknowledged, and it comes again: what is stored by then is known then.
      const outcomes = await intake.take(messages);
      return outcomes.map((outcome): Verdict =>
        outcome.kind === 'rejected' ? { rejected: outcome.reason } : 'accepted',
      );
    });
  }
}
