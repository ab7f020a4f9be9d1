import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;

export const documentKinds = ['licence', 'insurance', 'registration', 'identity'] as const;
export type DocumentKind = (typeof documentKinds)[number];
export const DocumentKind = Type.Enum([...documentKinds]);

/** A day of the calendar, in UTC. */
const day = Type.String({ format: 'date', minLength: 10, maxLength: 10 });

export const NewDocument = Type.Object(
  { number: Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,64}$' }), expiresOn: day },
  closed,
);
export type NewDocument = Static<typeof NewDocument>;

export const DriverDocument = Type.Object(
  {
    kind: DocumentKind,
    number: Type.String({ maxLength: 64 }),
    expiresOn: day,
    recordedAt: Type.String({ format: 'date-time', maxLength: 40 }),
    recordedBy: Type.String({ maxLength: 200 }),
    version: Type.Integer({ minimum: 1, description: 'What If-Match is compared with' }),
  },
  closed,
);
export type DriverDocument = Static<typeof DriverDocument>;

export const DocumentList = Type.Object(
  { documents: Type.Array(DriverDocument, { maxItems: documentKinds.length }) },
  closed,
);

export function toDay(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

/** Required kinds that a driver has no document of, or one that was valid for the last time before this day. */
export function lackingDocuments(
  documents: readonly Pick<DriverDocument, 'kind' | 'expiresOn'>[],
  required: readonly DocumentKind[],
  today: string,
): readonly DocumentKind[] {
  return required.filter(
    (kind) => !documents.some((document) => document.kind === kind && document.expiresOn >= today),
  );
}
