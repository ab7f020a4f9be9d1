import type { ErrorDescription } from './error-description.ts';

/** Codes of idempotency keys, API keys and limits. */
export const accessCodes = {
  IDEMPOTENCY_KEY_INVALID: {
    status: 400,
    title: 'Invalid idempotency key',
    meaning: 'The header `Idempotency-Key` is not 1 to 255 visible characters of ASCII. Nothing was changed.',
    remedy: 'Send a UUID, a new one for each thing that is to be done.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'Idempotency key used for something else',
    meaning:
      'A request with this `Idempotency-Key` came before, with another path, query or body. This one was not done.',
    remedy: 'Repeat the first request byte for byte, or take a new key for the new one.',
  },
  IDEMPOTENCY_IN_PROGRESS: {
    status: 409,
    title: 'Request with this key is under way',
    meaning:
      'A request with this `Idempotency-Key` is being done, or was when a node ended; its answer is not known yet.',
    remedy: 'Send the same request again after `Retry-After`.',
  },
  IDEMPOTENCY_ANSWER_NOT_KEPT: {
    status: 409,
    title: 'Request was done, its answer was not kept',
    meaning:
      'The request with this `Idempotency-Key` was done and not done again; its answer was larger than what is kept (IDEMPOTENCY_ANSWER_MAX_BYTES), or had a secret, which is kept nowhere.',
    remedy: 'Read what became of it, where `Location` leads; what you needed of a lost answer must be made anew.',
  },
  RATE_LIMITED: {
    status: 429,
    title: 'Too many requests',
    meaning: 'The caller has sent more requests in this minute than it may. Nothing was changed.',
    remedy: 'Wait for `Retry-After` seconds; the header `RateLimit` of every answer says how many are left.',
  },
  BUDGETS_CHANGED: {
    status: 412,
    title: 'Budgets were changed',
    meaning: 'The header `If-Match` names another version of the budgets than they have. Nothing was changed.',
    remedy: 'Read them again, and decide whether the change is still right.',
  },
  DAILY_BUDGET_SPENT: {
    status: 429,
    title: 'Daily budget spent',
    meaning: 'The partner has spent its budget of this day (UTC): requests, or orders. Nothing was changed.',
    remedy: 'Go on after `Retry-After`, or have ops raise it: PUT /partners/{partnerId}/budgets.',
  },
  API_KEY_SCOPE_MISSING: {
    status: 403,
    title: 'API key is not for this',
    meaning: 'The API key is valid, but has no scope for this operation.',
    remedy: 'Use a key with the scope that the detail names: `x-scope` of the operation in /openapi.json.',
  },
  API_KEY_NOT_FOUND: {
    status: 404,
    title: 'No such API key',
    meaning: 'There is no API key with this id, or none that the caller may know of.',
    remedy: 'List them: GET /api-keys.',
  },
  API_KEY_NOT_ACTIVE: {
    status: 409,
    title: 'API key is not active',
    meaning: 'The API key is revoked, has expired, or was rotated already: it cannot be rotated.',
    remedy: 'Rotate the key that has replaced it, or issue a new one.',
  },
  API_KEYS_EXHAUSTED: {
    status: 409,
    title: 'Too many API keys',
    meaning: 'The partner has as many active API keys as it may have (API_KEYS_PER_PARTNER_MAX).',
    remedy: 'Revoke one that is not used: `lastUsedAt` says which.',
  },
} as const satisfies Record<string, ErrorDescription>;
