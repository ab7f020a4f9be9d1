import type { Route } from './route.ts';
import type { JsonSchema } from './schema-policy.ts';

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

/** A parameter of an operation. */
export interface HeaderParameter {
  readonly name: string;
  readonly in: 'header';
  readonly required: false;
  readonly description: string;
  readonly schema: JsonSchema;
  readonly example?: string;
}

const idempotencyKey = (description: string): HeaderParameter => ({
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description,
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' },
});

const idempotencyKeys = {
  core: idempotencyKey(
    'A UUID, say. The same request with the same key is done once and answered the same for 24 hours; another request with it is refused.',
  ),
  own: idempotencyKey('A UUID, say. The same request with the same key is done once.'),
};

const ifMatch: HeaderParameter = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The ETag of what was read: refused with 412 when it has changed since.',
  schema: { type: 'string' },
  example: '"1"',
};

/** What a route takes beside `Authorization`. */
export function headerParameters({
  idempotency,
  ifMatch: compares,
}: Pick<Route, 'idempotency' | 'ifMatch'>): readonly HeaderParameter[] {
  return [...(idempotency === undefined ? [] : [idempotencyKeys[idempotency]]), ...(compares ? [ifMatch] : [])];
}
