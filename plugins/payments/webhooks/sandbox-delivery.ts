import type { PluginContext } from '#plugin-api';
import { findSandboxEvent, sandboxQueue, toWebhookBody } from '../providers/sandbox-events.ts';
import { takeWebhook, type IntakeDeps } from './intake.ts';
import { sign } from './signature.ts';

/** The sandbox's webhooks come the way that a real provider's do, but for the network: signed, to the same intake. */
export function registerSandboxDelivery(ctx: PluginContext, intake: IntakeDeps): void {
  ctx.jobs.work<{ readonly eventId: string }>(sandboxQueue, async ({ data }) => {
    const event = await findSandboxEvent(ctx.db, data.eventId);
    if (event === undefined) return;
    const body = toWebhookBody(event);
    const signature = sign(body, { secret: event.secret, atMs: intake.now() });
    await takeWebhook(intake, { provider: 'sandbox', body, headers: { 'sandbox-signature': signature } });
  });
}
