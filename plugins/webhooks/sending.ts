/** From what is due to what it came to: the dispatcher with its parts. */
import type { PluginContext } from '#plugin-api';
import { attempt, type AttemptResult } from './attempt.ts';
import { startDispatcher, type Dispatcher } from './dispatcher.ts';
import { resourceOf } from './endpoint-url.ts';
import type { SecretBox } from './secret-box.ts';
import type { Settings } from './settings.ts';
import { settle, type Settled } from './settle.ts';
import { claimDeliveries, type Claim } from './store/claims.ts';
import { listSealedSecrets } from './store/secrets.ts';

export interface SendingDeps {
  readonly settings: Settings;
  readonly secretBox: SecretBox;
  readonly now: () => number;
  readonly random: () => number;
}

/** Beyond the deadline of an attempt: for what is done before and after it. */
const leaseSlackSeconds = 30;

export function startSending(ctx: PluginContext, deps: SendingDeps): Dispatcher {
  const { settings } = deps;
  const { concurrency, pollMs, endpointConcurrency } = settings;
  const leaseSeconds = Math.ceil(settings.timeoutMs / 1000) + leaseSlackSeconds;
  return startDispatcher<Claim>({
    concurrency,
    pollMs,
    // Without a key nothing can be signed: it waits until the operator has set one.
    claim: (options) =>
      deps.secretBox.usable
        ? claimDeliveries(ctx.db, { ...options, endpointConcurrency, leaseSeconds })
        : Promise.resolve([]),
    deliver: (claim, signal) => deliver(ctx, claim, { ...deps, signal }),
    onError(error) {
      ctx.metrics.increment('returnit_webhooks_failures_total');
      ctx.log.error('webhooks were not sent, they are tried again', { error: (error as Error).message });
    },
  });
}

export async function deliver(
  ctx: PluginContext,
  claim: Claim,
  deps: SendingDeps & { readonly signal: AbortSignal },
): Promise<Settled> {
  const result = await send(ctx, claim, deps);
  const { outcome } = result;
  ctx.metrics.increment('returnit_webhooks_attempts_total', { outcome });
  if (outcome !== 'postponed') {
    ctx.metrics.observe('returnit_webhooks_attempt_duration_seconds', result.latencyMs / 1000, { outcome });
  }
  const settled = await settle(ctx, { claim, result }, deps);
  report(ctx, { claim, result, settled });
  return settled;
}

async function send(
  ctx: PluginContext,
  claim: Claim,
  { settings, secretBox, now, signal }: SendingDeps & { readonly signal: AbortSignal },
): Promise<AttemptResult> {
  const postponed = (error: string): AttemptResult => {
    ctx.log.error('a webhook waits for the operator', { endpointId: claim.endpointId, error });
    return { outcome: 'postponed', status: null, latencyMs: 0, response: null, error };
  };
  // A withdrawn grant is the operator's doing, and asking is no denial. What the host leads to is seen when it is called.
  if ((await ctx.permissions.query({ name: 'net', resource: resourceOf(claim.url) })) !== 'granted') {
    return postponed('the platform may not call this host');
  }
  let secrets: string[];
  try {
    const sealed = await listSealedSecrets(ctx.db, claim.endpointId);
    secrets = sealed.map((secret) => secretBox.open(secret, claim.endpointId));
  } catch (error) {
    return postponed((error as Error).message);
  }
  if (secrets.length === 0) return postponed('the endpoint has no secret');
  return attempt({ ...claim, secrets, settings, signal, now });
}

interface Report {
  readonly claim: Claim;
  readonly result: AttemptResult;
  readonly settled: Settled;
}

function report(ctx: PluginContext, { claim, result, settled }: Report): void {
  const { endpointId, deliveryId, type, orderId, tries } = claim;
  const { settlement, disabled } = settled;
  if (settlement === 'delivered' || settlement === 'failed') {
    ctx.metrics.increment('returnit_webhooks_deliveries_total', { outcome: settlement });
  }
  const facts = {
    deliveryId,
    endpointId,
    type,
    orderId,
    attempt: tries,
    outcome: result.outcome,
    status: result.status,
  };
  if (settlement === 'failed') ctx.log.warn('webhook given up', facts);
  else ctx.log.debug('webhook attempted', { ...facts, settlement });
  if (disabled === undefined) return;
  ctx.metrics.increment('returnit_webhooks_disabled_total', { reason: disabled });
  ctx.log.warn('webhook endpoint disabled', { endpointId, reason: disabled });
}
