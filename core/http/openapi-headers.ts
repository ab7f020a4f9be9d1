import type { Route } from './route.ts';

const text = (description: string): Record<string, unknown> => ({ description, schema: { type: 'string' } });

/** Headers that many answers have. */
export const headerComponents = {
  'RateLimit-Policy': text(
    'The limits that this request counted against: `q` requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers)',
  ),
  RateLimit: text('Of each of them: `r` requests are left, until `t` seconds from now'),
  'Retry-After': {
    description: 'Seconds after which to try again',
    schema: { type: 'integer', minimum: 0 },
  },
  'Idempotent-Replayed': text('`true` when this is the answer to an earlier request with the same Idempotency-Key'),
} as const;

type HeaderName = keyof typeof headerComponents;

/** The member `headers` of a response. */
export function headersOf(...names: readonly HeaderName[]): Record<string, unknown> {
  return {
    headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
  };
}

/** Of a route's success. */
export function answerHeaders({ idempotency }: Pick<Route, 'idempotency'>): Record<string, unknown> {
  const own = idempotency === 'core' ? (['Idempotent-Replayed'] as const) : [];
  return headersOf('RateLimit-Policy', 'RateLimit', ...own);
}
