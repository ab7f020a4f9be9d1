import type { PluginContext } from '#plugin-api';
import type { Providers } from '../ask.ts';
import type { ProviderName, Settings } from '../settings.ts';
import type { PaymentProvider } from './provider.ts';
import { createSandboxProvider } from './sandbox-provider.ts';

const stripeHost = 'api.stripe.com:443';

/**
 * The sandbox is always there: payments that began with it end with it.
 *
 * @throws {Error} when Stripe is to be used and the operator has not granted the way there
 */
export async function openProviders(ctx: PluginContext, settings: Settings): Promise<Providers> {
  const { db } = ctx;
  const sandbox = createSandboxProvider({
    db,
    slowMs: settings.sandboxSlowMs,
    hasWebhooks: settings.hasSandboxWebhooks,
  });
  const opened = new Map<ProviderName, PaymentProvider>([['sandbox', sandbox]]);
  if (settings.stripe !== null) {
    const resource = settings.stripe.apiBase?.host ?? stripeHost;
    if ((await ctx.permissions.query({ name: 'net', resource })) !== 'granted') {
      throw new Error(
        `Cannot use Stripe: net access to ${resource} is not granted. Run: npx returnit plugins grant payments --allow-net=${resource}`,
      );
    }
    // Loaded when it is used: it is larger than all of the plugin.
    const { createStripeProvider } = await import('./stripe-provider.ts');
    opened.set('stripe', createStripeProvider({ settings: settings.stripe, timeoutMs: settings.providerTimeoutMs }));
  }
  return {
    names: [...opened.keys()],
    of(name) {
      const provider = opened.get(name);
      if (provider === undefined) throw new Error(`Cannot ask ${name}: it is not set up`);
      return provider;
    },
  };
}
