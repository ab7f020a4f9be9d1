import type { Database, Job, PluginContext, Transaction } from '#plugin-api';
import { authorisation, operationKey, settle, type Settlement } from './payment.ts';
import type { PaymentProvider } from './provider.ts';
import { findVoiding, lockWaiting, markAsked, markGivenUp, markVoided, recordSettlement } from './store.ts';

interface PaymentJob {
  readonly orderId: string;
}

const retryLimit = 14;

export function registerJobs(ctx: PluginContext, provider: PaymentProvider): void {
  ctx.jobs.work<PaymentJob>('payments.authorise', async (job) => {
    const count = (outcome: string): void =>
      ctx.metrics.increment('returnit_payments_total', { operation: 'authorise', outcome });
    try {
      count(await authorise(ctx.db, provider, job));
    } catch (error) {
      // Whatever failed: an order must not wait for ever.
      if (job.attempt >= authorisation.attemptsWaitedFor && (await giveUpWaiting(ctx.db, job.data.orderId))) {
        count('unavailable');
        ctx.log.error('payment given up: the provider does not answer', { orderId: job.data.orderId });
      }
      throw error;
    }
  });
  ctx.jobs.work<PaymentJob>('payments.void', async (job) => {
    const outcome = await voidPayment(ctx.db, provider, job);
    ctx.metrics.increment('returnit_payments_total', { operation: 'void', outcome });
  });
}

type Work = Pick<Job<PaymentJob>, 'data' | 'signal'>;

/** Asks the provider between two transactions: the first says that it is asked, the second what it answered. */
export async function authorise(
  db: Database,
  provider: PaymentProvider,
  { data, signal }: Work,
): Promise<Settlement['to'] | 'repeated'> {
  const { orderId } = data;
  const waiting = await markAsked(db, orderId);
  if (waiting === undefined) return 'repeated';
  const answer = await provider.authorise({
    idempotencyKey: operationKey(orderId, 'authorise'),
    amountMinor: waiting.amountMinor,
    currency: waiting.currency,
    method: waiting.method,
    signal,
  });
  return db.transaction(async (tx) => {
    // Locked, because the order may be cancelled at this very moment.
    const locked = await lockWaiting(tx, orderId);
    if (locked === undefined) return 'repeated';
    const settlement = settle(locked.status, answer);
    await recordSettlement(tx, orderId, settlement);
    await announce(tx, { orderId, customerId: locked.customerId, settlement });
    return settlement.to;
  });
}

/**
 * Tells that no payment will come, once. Whether the provider holds the money is not known: the payment is `cancelling`,
 * and the job's further attempts ask with the same key, so that what was authorised is given back.
 */
export async function giveUpWaiting(db: Database, orderId: string): Promise<boolean> {
  return db.transaction(async (tx) => {
    const givenUp = await markGivenUp(tx, orderId);
    if (givenUp === undefined) return false;
    const { customerId } = givenUp;
    await tx.events.publish('payment.failed', { orderId, customerId, reason: 'provider-unavailable' });
    return true;
  });
}

interface Settled {
  readonly orderId: string;
  readonly customerId: string | null;
  readonly settlement: Settlement;
}

async function announce(tx: Transaction, { orderId, customerId, settlement }: Settled): Promise<void> {
  if (settlement.to === 'authorised') await tx.events.publish('payment.authorised', { orderId, customerId });
  if (settlement.to === 'declined') {
    await tx.events.publish('payment.declined', { orderId, customerId, reason: settlement.reason });
  }
  if (settlement.to === 'voiding') await tx.jobs.send('payments.void', { orderId }, { retryLimit });
}

export async function voidPayment(
  db: Database,
  provider: PaymentProvider,
  { data, signal }: Work,
): Promise<'voided' | 'repeated'> {
  const { orderId } = data;
  const reference = await findVoiding(db, orderId);
  if (reference === undefined) return 'repeated';
  await provider.void({ idempotencyKey: operationKey(orderId, 'void'), reference, signal });
  return db.transaction(async (tx) => {
    if (!(await markVoided(tx, orderId))) return 'repeated';
    await tx.events.publish('payment.voided', { orderId });
    return 'voided';
  });
}
