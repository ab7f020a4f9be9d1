import { integer } from './setting.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** Who may call how often: rate limits, budgets, API keys, idempotency keys. */
export const accessSettings = {
  httpReadsPerMinute: integer('HTTP_READS_PER_MINUTE', 120_000, {
    description: 'GET requests of one principal to one node in a minute; 0 is no limit, also of a single route',
  }),
  httpWritesPerMinute: integer('HTTP_WRITES_PER_MINUTE', 60_000, {
    description: 'Other requests of one principal to one node in a minute; 0 is no limit, also of a single route',
  }),
  httpAnonymousPerMinute: integer('HTTP_ANONYMOUS_PER_MINUTE', 12_000, {
    description:
      'Requests without a token from one address (IPv6: from one /64) to one node in a minute; 0 is no limit',
  }),
  httpRateLimitKeysMax: integer('HTTP_RATE_LIMIT_KEYS_MAX', 50_000, {
    description: 'Callers that are counted; the one not seen for longest is forgotten first',
    min: 1,
  }),
  partnerRequestsPerDay: integer('PARTNER_REQUESTS_PER_DAY', 5_000_000, {
    description: 'Requests of one partner to all nodes in a day (UTC), unless ops have given it another budget',
    min: 1,
  }),
  partnerOrdersPerDay: integer('PARTNER_ORDERS_PER_DAY', 200_000, {
    description: 'Orders that one partner may book in a day (UTC), unless ops have given it another budget',
    min: 1,
  }),
  budgetSliceMax: integer('BUDGET_SLICE_MAX', 1000, {
    description: 'How much of a budget a node takes at once; a node that is killed takes its unused rest with it',
    min: 1,
  }),
  apiKeyRotationOverlapMs: integer('API_KEY_ROTATION_OVERLAP_MS', dayMs, {
    description: 'How long an API key is still taken after it was rotated',
    max: 30 * dayMs,
  }),
  apiKeysPerPartnerMax: integer('API_KEYS_PER_PARTNER_MAX', 50, {
    description: 'Active API keys of one partner',
    min: 2,
  }),
  apiKeysCachedMax: integer('API_KEYS_CACHED_MAX', 10_000, {
    description: 'API keys that a node remembers, and as many that do not exist',
    min: 1,
  }),
  apiKeyCacheTtlMs: integer('API_KEY_CACHE_TTL_MS', 10_000, {
    description: 'Longest that a node goes on taking a revoked API key when it does not hear of it',
    min: 1,
    max: minuteMs,
  }),
  apiKeyFailuresPerMinuteMax: integer('API_KEY_FAILURES_PER_MINUTE_MAX', 60, {
    description:
      'Wrong API keys from one address in a minute; above it no key is looked up that the node does not know',
    min: 1,
  }),
  idempotencyRetentionMs: integer('IDEMPOTENCY_RETENTION_MS', dayMs, {
    description: 'How long the answer to a request with an `Idempotency-Key` is kept (24 h)',
    min: 1000,
  }),
  idempotencyAnswerMaxBytes: integer('IDEMPOTENCY_ANSWER_MAX_BYTES', 262_144, {
    description: 'Largest answer that is kept',
    min: 1,
  }),
  idempotencyWaitMs: integer('IDEMPOTENCY_WAIT_MS', 10_000, {
    description: 'How long a request waits for another with its `Idempotency-Key`, before it is answered 409',
    max: minuteMs,
  }),
} as const;
