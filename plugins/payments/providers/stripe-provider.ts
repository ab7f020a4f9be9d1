import Stripe from 'stripe';
import type { StripeSettings } from '../settings.ts';
import {
  OutcomeUnknown,
  ProviderUnavailable,
  type Answer,
  type AuthoriseRequest,
  type MoveRequest,
  type PaymentProvider,
  type ProviderPayment,
} from './provider.ts';
import { platform, toPayment } from './stripe-payment.ts';

const pageMax = 100;
/** A search for one payment among those of hours; more means that something else is wrong. */
const searchMax = 20_000;

export interface StripeOptions {
  readonly settings: StripeSettings;
  readonly timeoutMs: number;
}

/**
 * Stripe by its own library, over the plugin's `fetch`. The library's retries are off: a question whose answer is lost is
 * the operation's affair.
 */
export function createStripeProvider({ settings, timeoutMs }: StripeOptions): PaymentProvider {
  const { secretKey, apiBase } = settings;
  const stripe = new Stripe(secretKey, {
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 0,
    timeout: timeoutMs,
    telemetry: false,
    ...(apiBase === null ? {} : { protocol: 'http', host: apiBase.hostname, port: apiBase.port }),
  });
  return {
    name: 'stripe',
    authorise: (request) => authorise(stripe, request),
    capture: ({ reference, amountMinor, idempotencyKey }) =>
      answer(async () =>
        toPayment(
          await stripe.paymentIntents.capture(reference, { amount_to_capture: amountMinor }, { idempotencyKey }),
        ),
      ),
    void: ({ reference, idempotencyKey }) =>
      answer(async () => toPayment(await stripe.paymentIntents.cancel(reference, {}, { idempotencyKey }))),
    refund: (request) => refund(stripe, request),
    find: (operationId, { since }) => reading(() => find(stripe, operationId, since)),
    inspect: (reference) => reading(() => inspect(stripe, reference)),
    list: ({ from, to, cursor }) => reading(() => list(stripe, { from, to, cursor })),
  };
}

function authorise(stripe: Stripe, request: AuthoriseRequest): Promise<Answer> {
  const { operationId, orderId, idempotencyKey } = request;
  return answer(async () => {
    const intent = await stripe.paymentIntents.create(
      {
        amount: request.amountMinor,
        currency: request.currency.toLowerCase(),
        capture_method: 'manual',
        confirm: true,
        // Nobody is there to be sent to the bank's page.
        error_on_requires_action: true,
        allowed_payment_method_types: ['card'],
        payment_method: await methodOf(stripe, request),
        metadata: { platform, operation: operationId, order: orderId },
      },
      { idempotencyKey },
    );
    const payment = toPayment(intent);
    if (payment.state === 'unknown') throw new OutcomeUnknown(`Stripe has not decided yet: it says "${intent.status}"`);
    return payment;
  });
}

/** A card's token is made a payment method first, under a key of the same operation: it can be used once. */
async function methodOf(stripe: Stripe, { method, idempotencyKey }: AuthoriseRequest): Promise<string> {
  if (!method.startsWith('tok_')) return method;
  const made = await stripe.paymentMethods.create(
    { type: 'card', card: { token: method } },
    { idempotencyKey: `${idempotencyKey}:method` },
  );
  return made.id;
}

function refund(stripe: Stripe, request: MoveRequest): Promise<Answer> {
  const { reference, amountMinor, operationId, idempotencyKey } = request;
  return answer(async () => {
    const metadata = { platform, operation: operationId };
    await stripe.refunds.create({ payment_intent: reference, amount: amountMinor, metadata }, { idempotencyKey });
    const payment = await inspect(stripe, reference);
    if (payment === undefined) throw new OutcomeUnknown(`Stripe does not know payment ${reference} any more`);
    return payment;
  });
}

async function inspect(stripe: Stripe, reference: string): Promise<ProviderPayment | undefined> {
  const intent = await stripe.paymentIntents
    .retrieve(reference, { expand: ['latest_charge'] })
    .catch(undefinedWhenMissing);
  if (intent?.status !== 'succeeded') return intent && toPayment(intent);
  const charge = intent.latest_charge;
  const isDisputed = typeof charge === 'object' && charge?.disputed === true;
  const [refunds, disputes] = await Promise.all([
    stripe.refunds.list({ payment_intent: reference, limit: pageMax }).autoPagingToArray({ limit: 1000 }),
    isDisputed ? stripe.disputes.list({ payment_intent: reference, limit: pageMax }) : undefined,
  ]);
  return toPayment(intent, { refunds, disputes: disputes?.data ?? [] });
}

function undefinedWhenMissing(error: unknown): undefined {
  if (error instanceof Stripe.errors.StripeError && error.statusCode === 404) return undefined;
  throw error;
}

/** The list is right at once; Stripe's search lags by a minute, and would say that there is none. */
async function find(stripe: Stripe, operationId: string, since: Date): Promise<ProviderPayment | undefined> {
  let seen = 0;
  for await (const intent of stripe.paymentIntents.list({ created: { gte: toSeconds(since) }, limit: pageMax })) {
    if (intent.metadata['operation'] === operationId) return toPayment(intent);
    seen += 1;
    if (seen >= searchMax) throw new OutcomeUnknown(`Cannot find a payment among more than ${searchMax}`);
  }
  return undefined;
}

interface ListSpan {
  readonly from: Date;
  readonly to: Date;
  readonly cursor: string | null;
}

async function list(stripe: Stripe, { from, to, cursor }: ListSpan): ReturnType<PaymentProvider['list']> {
  const page = await stripe.paymentIntents.list({
    created: { gte: toSeconds(from), lt: toSeconds(to) },
    limit: pageMax,
    expand: ['data.latest_charge'],
    ...(cursor === null ? {} : { starting_after: cursor }),
  });
  const payments = page.data.map((intent) => toPayment(intent)).filter(({ operationId }) => operationId !== null);
  return { payments, nextCursor: page.has_more ? (page.data.at(-1)?.id ?? null) : null };
}

function toSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

/** Turns what the library throws into what it means for the money. */
async function answer(ask: () => Promise<ProviderPayment>): Promise<Answer> {
  try {
    return { kind: 'done', payment: await ask() };
  } catch (error) {
    return refusalOf(error);
  }
}

/** Of questions that move nothing. */
async function reading<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof Error ? new ProviderUnavailable(error.message, { cause: error }) : error;
  }
}

const turnedAway: ReadonlySet<number> = new Set([401, 403, 429]);
const busy: ReadonlySet<string> = new Set(['rate_limit', 'lock_timeout']);
const refused: ReadonlySet<number> = new Set([400, 402, 404]);

/** @throws when it is not known whether anything has moved, or surely nothing has and it may be asked again */
function refusalOf(error: unknown): Answer {
  if (!(error instanceof Stripe.errors.StripeError)) throw error;
  const status = error.statusCode ?? 0;
  if (turnedAway.has(status) || busy.has(error.code ?? ''))
    throw new ProviderUnavailable(error.message, { cause: error });
  // A key that is in use or was used with other parameters says nothing of the operation itself.
  if (error.rawType === 'idempotency_error' || !refused.has(status)) {
    throw new OutcomeUnknown(error.message, { cause: error });
  }
  const declined = error.payment_intent;
  if (declined !== undefined && error.rawType === 'card_error') return { kind: 'done', payment: toPayment(declined) };
  return { kind: 'refused', reason: error.decline_code ?? error.code ?? 'invalid_request' };
}
