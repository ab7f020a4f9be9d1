/** What an operator may change, by the variable that says so; the README lists them with their meaning. */
export const settingDefaults = {
  WEBHOOKS_ALLOW_HTTP: { fallback: 0, min: 0, max: 1 },
  WEBHOOKS_ENDPOINTS_MAX: { fallback: 10, min: 1, max: 100 },
  WEBHOOKS_SECRET_OVERLAP_HOURS: { fallback: 24, min: 0, max: 720 },
  WEBHOOKS_TIMEOUT_MS: { fallback: 8000, min: 100, max: 60_000 },
  WEBHOOKS_CONCURRENCY: { fallback: 32, min: 2, max: 128 },
  WEBHOOKS_ENDPOINT_CONCURRENCY: { fallback: 4, min: 1, max: 64 },
  WEBHOOKS_BACKLOG_MAX: { fallback: 10_000, min: 1, max: 1_000_000 },
  WEBHOOKS_RETRY_HOURS: { fallback: 24, min: 1, max: 168 },
  WEBHOOKS_RETRY_AFTER_MAX_SECONDS: { fallback: 3600, min: 1, max: 86_400 },
  WEBHOOKS_DISABLE_AFTER_HOURS: { fallback: 120, min: 1, max: 8760 },
  WEBHOOKS_DISABLE_AFTER_DELIVERIES: { fallback: 50, min: 1, max: 1_000_000 },
  WEBHOOKS_REORDER_WAIT_MS: { fallback: 5000, min: 0, max: 60_000 },
  WEBHOOKS_POLL_MS: { fallback: 1000, min: 50, max: 60_000 },
  WEBHOOKS_RESPONSE_MAX_BYTES: { fallback: 1024, min: 0, max: 65_536 },
  WEBHOOKS_RETENTION_DAYS: { fallback: 30, min: 1, max: 3650 },
} as const satisfies Readonly<
  Record<string, { readonly fallback: number; readonly min: number; readonly max: number }>
>;

export interface Settings {
  /** Keys that secrets are sealed with, the current one first; none: no endpoint can be made and nothing is sent. */
  readonly secretKeys: readonly Buffer[];
  /** For development: http, and ports other than 443, as far as they are granted. */
  readonly allowHttp: boolean;
  /** Of a partner. */
  readonly endpointsMax: number;
  /** How long deliveries also carry the signature of a secret that was replaced. */
  readonly secretOverlapSeconds: number;
  readonly timeoutMs: number;
  /** Attempts at the same time on this node. */
  readonly concurrency: number;
  /** Attempts at the same time at one endpoint, on all nodes together. */
  readonly endpointConcurrency: number;
  /** Deliveries of an endpoint that wait. */
  readonly backlogMax: number;
  /** How long a delivery is tried. */
  readonly retrySeconds: number;
  readonly retryAfterMaxSeconds: number;
  readonly disableAfterSeconds: number;
  /** Deliveries in a row that were given up. */
  readonly disableAfterDeliveries: number;
  /** How long an event waits for the one before it that has not come yet. */
  readonly reorderWaitSeconds: number;
  readonly pollMs: number;
  /** What is read and kept of an answer. */
  readonly responseMaxBytes: number;
  readonly retentionDays: number;
}

type Variable = keyof typeof settingDefaults;
type Environment = Readonly<Record<string, string>>;

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Environment): Settings {
  const read = (variable: Variable): number => readWhole(variable, environment[variable]);
  const [all, one] = [read('WEBHOOKS_CONCURRENCY'), read('WEBHOOKS_ENDPOINT_CONCURRENCY')];
  if (one > all) {
    throw new RangeError(
      `WEBHOOKS_ENDPOINT_CONCURRENCY must be at most WEBHOOKS_CONCURRENCY: it is ${one}, the other is ${all}`,
    );
  }
  return {
    secretKeys: readKeys(environment['WEBHOOKS_SECRET_KEY']),
    allowHttp: read('WEBHOOKS_ALLOW_HTTP') === 1,
    endpointsMax: read('WEBHOOKS_ENDPOINTS_MAX'),
    secretOverlapSeconds: read('WEBHOOKS_SECRET_OVERLAP_HOURS') * 3600,
    timeoutMs: read('WEBHOOKS_TIMEOUT_MS'),
    concurrency: all,
    endpointConcurrency: one,
    backlogMax: read('WEBHOOKS_BACKLOG_MAX'),
    retrySeconds: read('WEBHOOKS_RETRY_HOURS') * 3600,
    retryAfterMaxSeconds: read('WEBHOOKS_RETRY_AFTER_MAX_SECONDS'),
    disableAfterSeconds: read('WEBHOOKS_DISABLE_AFTER_HOURS') * 3600,
    disableAfterDeliveries: read('WEBHOOKS_DISABLE_AFTER_DELIVERIES'),
    reorderWaitSeconds: read('WEBHOOKS_REORDER_WAIT_MS') / 1000,
    pollMs: read('WEBHOOKS_POLL_MS'),
    responseMaxBytes: read('WEBHOOKS_RESPONSE_MAX_BYTES'),
    retentionDays: read('WEBHOOKS_RETENTION_DAYS'),
  };
}

const keyBytes = 32;

function readKeys(text: string | undefined): readonly Buffer[] {
  if (text === undefined || text === '') return [];
  return text.split(',').map((part) => {
    const key = Buffer.from(part.trim(), 'base64');
    if (key.length === keyBytes && key.toString('base64') === part.trim()) return key;
    // Not the value.
    throw new RangeError(
      `WEBHOOKS_SECRET_KEY must be ${keyBytes} bytes in base64, or several such keys with commas between them, the current one first`,
    );
  });
}

function readWhole(variable: Variable, text: string | undefined): number {
  const { fallback, min, max } = settingDefaults[variable];
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`${variable} must be a whole number from ${min} to ${max}: it is "${text}"`);
}
