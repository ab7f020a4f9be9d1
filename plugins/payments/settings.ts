/** What an operator may change, by the variable that says so; the README lists them with their meaning. */
export const settingDefaults = {
  PAYMENTS_CANCELLATION_FEE_MINOR: { fallback: 0, min: 0, max: 10_000_000 },
  PAYMENTS_CANCELLATION_FEE_PERCENT: { fallback: 50, min: 0, max: 100 },
  PAYMENTS_DRIVER_SHARE_PERCENT: { fallback: 70, min: 0, max: 100 },
  PAYMENTS_PAYOUT_MIN_MINOR: { fallback: 1000, min: 1, max: 10_000_000 },
  PAYMENTS_PROVIDER_TIMEOUT_MS: { fallback: 8000, min: 50, max: 30_000 },
  PAYMENTS_WEBHOOK_TOLERANCE_SECONDS: { fallback: 300, min: 1, max: 3600 },
  PAYMENTS_WEBHOOK_RETENTION_DAYS: { fallback: 30, min: 4, max: 3650 },
  PAYMENTS_RECONCILE_HOURS: { fallback: 72, min: 1, max: 744 },
  PAYMENTS_RECONCILE_SETTLE_MINUTES: { fallback: 60, min: 0, max: 1440 },
  PAYMENTS_SANDBOX_SLOW_MS: { fallback: 3000, min: 0, max: 30_000 },
  PAYMENTS_SANDBOX_WEBHOOKS: { fallback: 0, min: 0, max: 1 },
} as const satisfies Readonly<
  Record<string, { readonly fallback: number; readonly min: number; readonly max: number }>
>;

export const cronDefaults = {
  PAYMENTS_RECONCILE_CRON: '15 2 * * *',
  PAYMENTS_PAYOUT_CRON: '0 5 * * 1',
} as const;

export const providerNames = ['sandbox', 'stripe'] as const;
export type ProviderName = (typeof providerNames)[number];

export interface StripeSettings {
  readonly secretKey: string;
  /** Any of them may have signed: so that one can follow another. */
  readonly webhookSecrets: readonly string[];
  /** In place of https://api.stripe.com: for tests, on the loopback alone. */
  readonly apiBase: URL | null;
}

export interface Settings {
  /** Asked for new payments; each payment stays with the one that it began with. */
  readonly provider: ProviderName;
  /** Null without a secret key. */
  readonly stripe: StripeSettings | null;
  /** Of a cancellation by customer or partner once a driver was assigned; never more than the price. */
  readonly cancellationFee: { readonly fixedMinor: number; readonly percent: number };
  readonly driverSharePercent: number;
  readonly payoutMinMinor: number;
  readonly providerTimeoutMs: number;
  /** How far a webhook's time may be from ours. */
  readonly webhookToleranceSeconds: number;
  readonly webhookRetentionMs: number;
  /** How far back a reconciliation looks. */
  readonly reconcileMs: number;
  /** What is younger may be under way, and is not compared. */
  readonly reconcileSettleMs: number;
  readonly sandboxSlowMs: number;
  /** Whether the sandbox tells of every payment; else of those whose token asks for it. */
  readonly hasSandboxWebhooks: boolean;
  readonly reconcileCron: string;
  readonly payoutCron: string;
}

type Variable = keyof typeof settingDefaults;
type Environment = Readonly<Record<string, string>>;
const hourMs = 3_600_000;

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Environment): Settings {
  const read = (variable: Variable): number => readWhole(variable, environment[variable]);
  const stripe = readStripe(environment);
  return {
    provider: readProvider(environment['PAYMENTS_PROVIDER'], stripe),
    stripe,
    cancellationFee: {
      fixedMinor: read('PAYMENTS_CANCELLATION_FEE_MINOR'),
      percent: read('PAYMENTS_CANCELLATION_FEE_PERCENT'),
    },
    driverSharePercent: read('PAYMENTS_DRIVER_SHARE_PERCENT'),
    payoutMinMinor: read('PAYMENTS_PAYOUT_MIN_MINOR'),
    providerTimeoutMs: read('PAYMENTS_PROVIDER_TIMEOUT_MS'),
    webhookToleranceSeconds: read('PAYMENTS_WEBHOOK_TOLERANCE_SECONDS'),
    webhookRetentionMs: read('PAYMENTS_WEBHOOK_RETENTION_DAYS') * 24 * hourMs,
    reconcileMs: read('PAYMENTS_RECONCILE_HOURS') * hourMs,
    reconcileSettleMs: read('PAYMENTS_RECONCILE_SETTLE_MINUTES') * 60_000,
    sandboxSlowMs: read('PAYMENTS_SANDBOX_SLOW_MS'),
    hasSandboxWebhooks: read('PAYMENTS_SANDBOX_WEBHOOKS') === 1,
    // What is no cron expression is refused by the core, with the reason.
    reconcileCron: environment['PAYMENTS_RECONCILE_CRON'] || cronDefaults.PAYMENTS_RECONCILE_CRON,
    payoutCron: environment['PAYMENTS_PAYOUT_CRON'] || cronDefaults.PAYMENTS_PAYOUT_CRON,
  };
}

function readProvider(text: string | undefined, stripe: StripeSettings | null): ProviderName {
  const name = providerNames.find((known) => known === (text || 'sandbox'));
  if (name === undefined) throw new RangeError(`PAYMENTS_PROVIDER must be sandbox or stripe: it is "${text}"`);
  if (name === 'stripe' && stripe === null) {
    throw new RangeError('PAYMENTS_STRIPE_SECRET_KEY must be set when PAYMENTS_PROVIDER is stripe');
  }
  return name;
}

function readStripe(environment: Environment): StripeSettings | null {
  const secretKey = environment['PAYMENTS_STRIPE_SECRET_KEY'];
  if (secretKey === undefined || secretKey === '') return null;
  const webhookSecrets = (environment['PAYMENTS_STRIPE_WEBHOOK_SECRET'] ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '');
  return { secretKey, webhookSecrets, apiBase: readApiBase(environment['PAYMENTS_STRIPE_API_BASE']) };
}

function readApiBase(text: string | undefined): URL | null {
  if (text === undefined || text === '') return null;
  const url = URL.parse(text);
  // The secret key goes wherever this leads.
  if (url !== null && url.protocol === 'http:' && /^127\.\d+\.\d+\.\d+$/.test(url.hostname)) return url;
  throw new RangeError(
    'PAYMENTS_STRIPE_API_BASE must be http:// and an address of the loopback: it is for tests alone',
  );
}

function readWhole(variable: Variable, text: string | undefined): number {
  const { fallback, min, max } = settingDefaults[variable];
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`${variable} must be a whole number from ${min} to ${max}: it is "${text}"`);
}
