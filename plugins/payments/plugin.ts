import type { Plugin } from '#plugin-api';
import type { AskDeps } from './ask.ts';
import { registerEvents } from './events.ts';
import { registerFigures } from './figures.ts';
import { registerJobs } from './jobs.ts';
import { registerPayouts } from './ledger/payout-routes.ts';
import { registerLedgerRoutes } from './ledger/routes.ts';
import { openProviders } from './providers/open-providers.ts';
import { createSandboxSecret } from './providers/sandbox-events.ts';
import { registerReconciliation } from './reconciliation/jobs.ts';
import { registerReconciliationRoutes } from './reconciliation/routes.ts';
import { registerRoutes } from './routes.ts';
import { readSettings } from './settings.ts';
import type { IntakeDeps } from './webhooks/intake.ts';
import { registerWebhookJob } from './webhooks/processing.ts';
import { registerWebhookRoutes } from './webhooks/routes.ts';
import { registerSandboxDelivery } from './webhooks/sandbox-delivery.ts';

export const plugin: Plugin = {
  async setup(ctx) {
    const now = (): number => Date.now();
    const settings = readSettings(ctx.env);
    const { db, metrics } = ctx;
    const ask: AskDeps = {
      db,
      metrics,
      providers: await openProviders(ctx, settings),
      policy: settings,
      timeoutMs: settings.providerTimeoutMs,
    };
    const intake: IntakeDeps = {
      db,
      metrics,
      toleranceSeconds: settings.webhookToleranceSeconds,
      now,
      sources: {
        sandbox: { header: 'sandbox-signature', secrets: createSandboxSecret(db) },
        stripe: { header: 'stripe-signature', secrets: async () => settings.stripe?.webhookSecrets ?? [] },
      },
    };
    registerRoutes(ctx, settings);
    registerEvents(ctx, { policy: settings, provider: settings.provider });
    registerJobs(ctx, ask);
    registerWebhookRoutes(ctx, intake);
    registerWebhookJob(ctx, ask);
    registerSandboxDelivery(ctx, intake);
    registerLedgerRoutes(ctx);
    registerPayouts(ctx, settings);
    registerReconciliation(
      ctx,
      { ...ask, settleMs: settings.reconcileSettleMs, spanMs: settings.reconcileMs, now },
      { cron: settings.reconcileCron, webhookRetentionMs: settings.webhookRetentionMs },
    );
    registerReconciliationRoutes(ctx);
    registerFigures(ctx, now);
  },
};
