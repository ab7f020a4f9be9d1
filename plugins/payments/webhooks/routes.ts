import { Type } from 'typebox';
import type { PluginContext } from '#plugin-api';
import { refuse } from '../errors.ts';
import { takeWebhook, type IntakeDeps } from './intake.ts';

const Params = Type.Object({ provider: Type.String({ pattern: '^[a-z]{1,20}$' }) }, { additionalProperties: false });
/** Providers' events take some 10 KiB. */
const Body = Type.String({ maxLength: 262_144 });
const Received = Type.Object({ received: Type.Literal(true) }, { additionalProperties: false });

export function registerWebhookRoutes(ctx: PluginContext, intake: IntakeDeps): void {
  ctx.http.post(
    '/payments/webhooks/{provider}',
    {
      summary: "A payment provider's webhook, signed by it",
      roles: 'public',
      params: Params,
      body: Body,
      bodyAs: 'text',
      response: { 200: Received },
    },
    async ({ params, body, headers }) => {
      const { provider } = params;
      const outcome = await takeWebhook(intake, { provider, body, headers });
      if (outcome === 'unknown_provider') {
        return refuse('PAYMENT_PROVIDER_UNKNOWN', `Webhooks of '${provider}' are not taken here`);
      }
      if (outcome === 'signature') {
        return refuse('PAYMENT_WEBHOOK_UNSIGNED', 'The signature must be valid and not older than the tolerance');
      }
      if (outcome === 'malformed') {
        return refuse('PAYMENT_WEBHOOK_MALFORMED', "The body must be an event with 'id', 'type' and 'data.object'");
      }
      return { status: 200, body: { received: true } };
    },
  );
}
