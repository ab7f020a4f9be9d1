import type { PluginContext } from '#plugin-api';
import { countSettled, type AskDeps } from '../ask.ts';
import { observe } from '../observation.ts';
import { changePayment } from '../progress.ts';
import type { ProviderName } from '../settings.ts';
import { findPaymentId } from '../store/payments.ts';
import { findWebhookEvent, markWebhookProcessed, type WebhookEvent } from '../store/webhooks.ts';
import { webhookQueue } from './intake.ts';

export type ProcessingOutcome = 'applied' | 'ignored' | 'foreign' | 'repeated';

interface WebhookJob {
  readonly provider: string;
  readonly eventId: string;
}

/** Only these tell of payments, refunds and disputes. */
const concerning = /^(payment_intent|charge|refund)\./;

export function registerWebhookJob(ctx: PluginContext, deps: AskDeps): void {
  ctx.jobs.work<WebhookJob>(webhookQueue, async ({ data, signal }) => {
    const event = await findWebhookEvent(ctx.db, data.provider, data.eventId);
    const outcome = event === undefined ? 'repeated' : await processWebhook(deps, event, signal);
    ctx.metrics.increment('returnit_payments_webhooks_total', { outcome });
  });
}

/**
 * An event is a hint and no more: the provider is asked what is true of the payment now. So an old event, one that comes
 * before the answer to our own question, and one that comes twice all say the same.
 */
async function processWebhook(deps: AskDeps, event: WebhookEvent, signal: AbortSignal): Promise<ProcessingOutcome> {
  const { reference, type } = event;
  if (reference === null || !concerning.test(type)) {
    await markWebhookProcessed(deps.db, event, 'ignored');
    return 'ignored';
  }
  const provider = event.provider as ProviderName;
  const seen = await deps.providers.of(provider).inspect(reference, signal);
  const paymentId = seen && (await findPaymentId(deps.db, { provider, ...seen }));
  if (seen === undefined || paymentId === undefined) {
    await markWebhookProcessed(deps.db, event, 'foreign');
    return 'foreign';
  }
  const draft = await deps.db.transaction(async (tx) => {
    const changed = await changePayment(tx, { key: { paymentId }, policy: deps.policy }, (draft) => {
      observe(draft, seen);
    });
    await markWebhookProcessed(tx, event, 'applied');
    return changed;
  });
  if (draft !== undefined) countSettled(deps.metrics, draft);
  return 'applied';
}
