import { readLocale, readOrderUrl, readProvider, readTimeZone, readUrgent } from './settings-text.ts';
import type { ProviderSettings } from './settings-text.ts';
import type { TemplateName } from './audience.ts';

/** What an operator may change, by the variable that says so; the README lists them with their meaning. */
export const settingDefaults = {
  NOTIFICATIONS_PROVIDER_TIMEOUT_MS: { fallback: 8000, min: 50, max: 60_000 },
  NOTIFICATIONS_ATTEMPTS_MAX: { fallback: 10, min: 1, max: 50 },
  NOTIFICATIONS_RETRY_SECONDS: { fallback: 5, min: 1, max: 3600 },
  NOTIFICATIONS_RETRY_MAX_SECONDS: { fallback: 900, min: 1, max: 86_400 },
  NOTIFICATIONS_SENDING_SECONDS: { fallback: 30, min: 1, max: 3600 },
  NOTIFICATIONS_SUPERSEDE_SECONDS: { fallback: 60, min: 0, max: 86_400 },
  NOTIFICATIONS_EVENT_AGE_MAX_SECONDS: { fallback: 86_400, min: 60, max: 2_592_000 },
  NOTIFICATIONS_RETENTION_DAYS: { fallback: 90, min: 1, max: 3650 },
  NOTIFICATIONS_CONCURRENCY: { fallback: 4, min: 1, max: 100 },
} as const satisfies Readonly<
  Record<string, { readonly fallback: number; readonly min: number; readonly max: number }>
>;

export interface Settings {
  /** Null: there is no such channel. */
  readonly sms: ProviderSettings | null;
  readonly push: ProviderSettings | null;
  /** Where a message leads, with `{orderId}` in it; null: nowhere. */
  readonly orderUrl: string | null;
  /** Of whoever has not said otherwise. */
  readonly locale: string;
  readonly timeZone: string;
  /** What is told during quiet hours too, unless the person says no. */
  readonly urgent: ReadonlySet<TemplateName>;
  readonly providerTimeoutMs: number;
  /** Tries to send one message before it has failed. */
  readonly attemptsMax: number;
  /** Before the second try; doubled for each further one, up to `retryMaxMs`. */
  readonly retryMs: number;
  readonly retryMaxMs: number;
  /** How long a try may be under way; only then another may follow one that has not said how it ended. */
  readonly sendingMs: number;
  /** A message older than this is not sent when something newer of its order is known. */
  readonly supersedeMs: number;
  /** What happened longer ago is not told any more. */
  readonly eventAgeMaxMs: number;
  readonly retentionMs: number;
  /** Messages that one process sends at the same time. */
  readonly concurrency: number;
}

export type Environment = Readonly<Record<string, string>>;

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Environment): Settings {
  const read = (variable: Variable): number => readWhole(variable, environment[variable]);
  const sendingMs = read('NOTIFICATIONS_SENDING_SECONDS') * 1000;
  const providerTimeoutMs = read('NOTIFICATIONS_PROVIDER_TIMEOUT_MS');
  if (sendingMs <= providerTimeoutMs) {
    throw new RangeError(
      `NOTIFICATIONS_SENDING_SECONDS must be longer than NOTIFICATIONS_PROVIDER_TIMEOUT_MS: it is ${sendingMs} ms, the other is ${providerTimeoutMs} ms`,
    );
  }
  return {
    sms: readProvider('SMS', environment),
    push: readProvider('PUSH', environment),
    orderUrl: readOrderUrl(environment),
    locale: readLocale(environment),
    timeZone: readTimeZone(environment),
    urgent: readUrgent(environment),
    providerTimeoutMs,
    attemptsMax: read('NOTIFICATIONS_ATTEMPTS_MAX'),
    retryMs: read('NOTIFICATIONS_RETRY_SECONDS') * 1000,
    retryMaxMs: read('NOTIFICATIONS_RETRY_MAX_SECONDS') * 1000,
    sendingMs,
    supersedeMs: read('NOTIFICATIONS_SUPERSEDE_SECONDS') * 1000,
    eventAgeMaxMs: read('NOTIFICATIONS_EVENT_AGE_MAX_SECONDS') * 1000,
    retentionMs: read('NOTIFICATIONS_RETENTION_DAYS') * 86_400_000,
    concurrency: read('NOTIFICATIONS_CONCURRENCY'),
  };
}

type Variable = keyof typeof settingDefaults;

function readWhole(variable: Variable, text: string | undefined): number {
  const { fallback, min, max } = settingDefaults[variable];
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`${variable} must be a whole number from ${min} to ${max}: it is "${text}"`);
}
