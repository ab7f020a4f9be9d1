import { Type, type Static } from 'typebox';
import { scopePattern } from './scopes.ts';

/** No control characters: these texts are shown to people. */
const partnerPattern = '^[^\\u0000-\\u001f\\u007f]{1,200}$';
const daysMax = 3650;

export const PartnerId = Type.String({
  pattern: partnerPattern,
  description: "The partner's id: the `sub` of its tokens",
});

export const KeyParams = Type.Object(
  { keyId: Type.String({ pattern: '^[0-9a-f]{16}$' }) },
  { additionalProperties: false },
);

export const NewKey = Type.Object(
  {
    partnerId: Type.Optional(PartnerId),
    name: Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,100}$', description: 'What it is for' }),
    scopes: Type.Array(Type.String({ pattern: scopePattern }), {
      minItems: 1,
      maxItems: 50,
      uniqueItems: true,
      description: 'Such as `orders:write`: the group is the first segment of a path; `*` is all but `api-keys`',
    }),
    expiresInDays: Type.Optional(Type.Integer({ minimum: 1, maximum: daysMax, description: 'Without it, never' })),
  },
  { additionalProperties: false },
);
export type NewKey = Static<typeof NewKey>;

export const KeyQuery = Type.Object(
  {
    partnerId: Type.Optional(PartnerId),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    cursor: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,14}$' })),
  },
  { additionalProperties: false },
);
export type KeyQuery = Static<typeof KeyQuery>;

const Moment = Type.String({ format: 'date-time' });
const OptionalMoment = Type.Union([Moment, Type.Null()]);

const fields = {
  keyId: Type.String(),
  shown: Type.String({ description: 'How the key begins' }),
  partnerId: Type.String(),
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  state: Type.Union([Type.Literal('active'), Type.Literal('expired'), Type.Literal('revoked')]),
  createdAt: Moment,
  createdBy: Type.Object({ role: Type.String(), id: Type.String() }, { additionalProperties: false }),
  expiresAt: OptionalMoment,
  revokedAt: OptionalMoment,
  replacedBy: Type.Union([Type.String(), Type.Null()], { description: 'The key that it was rotated to' }),
  lastUsedAt: Type.Union([Moment, Type.Null()], { description: 'To the minute' }),
};

export const Key = Type.Object(fields, { additionalProperties: false });
export type Key = Static<typeof Key>;
export const IssuedKey = Type.Object(
  { ...fields, secret: Type.String({ description: 'The whole key. It is shown this once' }) },
  { additionalProperties: false },
);
export type IssuedKey = Static<typeof IssuedKey>;
export const Keys = Type.Object(
  { keys: Type.Array(Key), nextCursor: Type.Union([Type.String(), Type.Null()]) },
  { additionalProperties: false },
);
