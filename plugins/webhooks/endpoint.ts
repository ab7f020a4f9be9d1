import { Type, type Static } from 'typebox';
import type { Principal } from '#plugin-api';
import { urlLengthMax } from './endpoint-url.ts';
import { orderEvents, paymentEvents } from './payload.ts';
import type { PartnerScope, StoredEndpoint } from './store/endpoints.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const uuid = Type.String({ format: 'uuid' });
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

export const eventTypes = ['order.*', 'payment.*', ...orderEvents, ...paymentEvents] as const;
export const eventTypesDefault: readonly string[] = ['order.*', 'payment.*'];

const EventTypes = Type.Array(Type.Enum([...eventTypes]), {
  minItems: 1,
  maxItems: eventTypes.length,
  description: 'What is sent: single events, or all of a kind',
});
const Url = Type.String({ minLength: 1, maxLength: urlLengthMax, description: 'https, on port 443, at a public host' });
const Description = Type.String({ maxLength: 200 });

export const NewEndpoint = Type.Object(
  {
    url: Url,
    eventTypes: Type.Optional(EventTypes),
    description: Type.Optional(Description),
    partnerId: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'Whose it is; for ops alone, who must say it' }),
    ),
  },
  closed,
);
export type NewEndpoint = Static<typeof NewEndpoint>;

export const EndpointPatch = Type.Object(
  {
    url: Type.Optional(Url),
    eventTypes: Type.Optional(EventTypes),
    description: Type.Optional(Description),
    enabled: Type.Optional(
      Type.Boolean({ description: 'false: deliveries wait; true: they go on, and failures are forgotten' }),
    ),
  },
  { ...closed, minProperties: 1 },
);
export type EndpointPatch = Static<typeof EndpointPatch>;

const endpointFields = {
  endpointId: uuid,
  partnerId: Type.String({ maxLength: 128 }),
  url: Type.String({ maxLength: urlLengthMax }),
  description: Description,
  eventTypes: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 100 }),
  state: Type.Enum(['enabled', 'disabled']),
  disabledReason: maybe(
    Type.Enum(['partner', 'gone', 'failing'], {
      description: 'partner: by a request; gone: it answered 410; failing: nothing was delivered for too long',
    }),
  ),
  disabledAt: maybe(instant),
  failingSince: maybe(instant),
  consecutiveFailures: Type.Integer({ minimum: 0 }),
  lastFailure: maybe(
    Type.Object(
      { at: instant, status: maybe(Type.Integer()), error: Type.String({ maxLength: 1000 }) },
      { ...closed, description: 'The last attempt that failed, if ever one did' },
    ),
  ),
  pausedUntil: maybe(instant),
  secrets: Type.Array(Type.Object({ createdAt: instant, expiresAt: maybe(instant) }, closed), {
    maxItems: 20,
    description: 'Those that deliveries are signed with, the newest first; never their values',
  }),
  createdAt: instant,
  updatedAt: instant,
};
export const Endpoint = Type.Object(endpointFields, closed);
export type Endpoint = Static<typeof Endpoint>;

export const EndpointWithSecret = Type.Object(
  {
    ...endpointFields,
    secret: Type.String({ maxLength: 200, description: 'What deliveries are signed with; shown here alone' }),
  },
  closed,
);

export const EndpointPage = Type.Object(
  { endpoints: Type.Array(Endpoint, { maxItems: 100 }), nextCursor: maybe(Type.String({ maxLength: 200 })) },
  closed,
);

export function toEndpoint({ version: _version, ...endpoint }: StoredEndpoint): Endpoint {
  return { ...endpoint, eventTypes: [...endpoint.eventTypes], secrets: [...endpoint.secrets] };
}

export function toETag(version: number): string {
  return `"${version}"`;
}

/** A partner has its own alone, ops have all. */
export function scopeOf({ role, id }: Principal): PartnerScope {
  return role === 'ops' ? null : id;
}

/** `If-Match` holds for this version, or was not sent (RFC 9110, 13.1.1). */
export function matches(ifMatch: string | undefined, version: number): boolean {
  if (ifMatch === undefined || ifMatch.trim() === '*') return true;
  return ifMatch.split(',').some((tag) => tag.trim() === toETag(version));
}
