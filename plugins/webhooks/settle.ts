/** Writes down what an attempt came to, and what follows of it for the delivery and its endpoint: all of it, or nothing. */
import type { PluginContext, Transaction } from '#plugin-api';
import type { AttemptResult } from './attempt.ts';
import { hostOf } from './endpoint-url.ts';
import { pauseSeconds, planRetry, shouldDisable, type Plan } from './retry.ts';
import type { Settings } from './settings.ts';
import type { Claim } from './store/claims.ts';
import { disableEndpoint, lockEndpoint } from './store/endpoints.ts';
import {
  finishDelivery,
  insertAttempt,
  pauseEndpoint,
  postponeDelivery,
  recordFailure,
  recordSuccess,
  retryDelivery,
} from './store/results.ts';

/** `superseded`: the delivery was cancelled, or its claim ran out, meanwhile. */
export type Settlement = 'delivered' | 'retried' | 'failed' | 'postponed' | 'superseded';

export interface Settled {
  readonly settlement: Settlement;
  /** Why its endpoint was disabled by this. */
  readonly disabled?: 'gone' | 'failing' | undefined;
}

export interface Attempted {
  readonly claim: Claim;
  readonly result: AttemptResult;
}

export interface SettleOptions {
  readonly settings: Settings;
  readonly random: () => number;
}

/** What is wrong on our side is looked at again after this. */
const postponeSeconds = 30;

export async function settle(
  ctx: Pick<PluginContext, 'db'>,
  attempted: Attempted,
  options: SettleOptions,
): Promise<Settled> {
  const { claim, result } = attempted;
  const { outcome, status } = result;
  return ctx.db.transaction(async (tx) => {
    await lockEndpoint(tx, claim.endpointId, null);
    if (outcome === 'postponed') return settlePostponed(tx, attempted);
    await insertAttempt(tx, claim.deliveryId, result);
    if (outcome === 'delivered') {
      await recordSuccess(tx, claim.endpointId);
      const finished = await finishDelivery(tx, claim, { state: 'delivered', status, error: null });
      return { settlement: finished ? 'delivered' : 'superseded' };
    }
    return settleFailure(tx, attempted, options);
  });
}

/** The whole endpoint waits: with its other deliveries it would be no different. */
async function settlePostponed(tx: Transaction, { claim, result }: Attempted): Promise<Settled> {
  const { error, retryAfterSeconds: delaySeconds = postponeSeconds } = result;
  const postponed = await postponeDelivery(tx, claim, { delaySeconds, error: error ?? result.outcome });
  if (delaySeconds > 0) await pauseEndpoint(tx, claim.endpointId, delaySeconds);
  return { settlement: postponed ? 'postponed' : 'superseded' };
}

async function settleFailure(
  tx: Transaction,
  { claim, result }: Attempted,
  { settings, random }: SettleOptions,
): Promise<Settled> {
  const { status, retryAfterSeconds } = result;
  const error = result.error ?? result.outcome;
  const plan: Plan =
    result.outcome === 'gone'
      ? { kind: 'give-up' }
      : planRetry({
          attempts: claim.tries,
          remainingSeconds: claim.remainingSeconds,
          retryAfterSeconds,
          random: random(),
        });
  const own =
    plan.kind === 'retry'
      ? await retryDelivery(tx, claim, { delaySeconds: plan.delaySeconds, status, error })
      : await finishDelivery(tx, claim, { state: 'failed', status, error });
  const givenUp = own && plan.kind === 'give-up';
  const failures = await recordFailure(tx, claim.endpointId, { givenUp, status, error });
  let settlement: Settlement = own ? 'retried' : 'superseded';
  if (givenUp) settlement = 'failed';
  if (failures === undefined) return { settlement };
  const reason = result.outcome === 'gone' ? 'gone' : 'failing';
  if (reason === 'gone' || shouldDisable(failures, settings)) {
    const disabled = await disable(tx, claim.endpointId, reason);
    return { settlement, disabled: disabled ? reason : undefined };
  }
  const pause = Math.max(pauseSeconds(failures.consecutiveFailures), retryAfterSeconds ?? 0);
  if (pause > 0) await pauseEndpoint(tx, claim.endpointId, pause);
  return { settlement };
}

/** Disabled and told of, or neither. */
async function disable(tx: Transaction, endpointId: string, reason: 'gone' | 'failing'): Promise<boolean> {
  const disabled = await disableEndpoint(tx, endpointId, reason);
  if (disabled === undefined) return false;
  const { partnerId, url, failingSince } = disabled;
  await tx.events.publish('webhook.endpoint_disabled', {
    endpointId,
    partnerId,
    reason,
    host: hostOf(url),
    failingSince,
  });
  return true;
}
