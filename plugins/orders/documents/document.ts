import { Type, type Static } from 'typebox';
import { actorKinds } from '../lifecycle.ts';
import { proofStages } from '../requirement.ts';
import { closed, id, instant } from '../text-schemas.ts';
import { contentTypes, type ContentType } from './recognise.ts';

/** What the customer hands to the driver, and what the driver shows for it. */
export const documentKinds = ['label', 'qr', 'photo', 'signature'] as const;
export type DocumentKind = (typeof documentKinds)[number];

const pixels = Type.Union([Type.Integer({ minimum: 1 }), Type.Null()]);

export const Document = Type.Object(
  {
    documentId: id,
    orderId: id,
    kind: Type.Enum([...documentKinds]),
    stage: Type.Union([Type.Enum([...proofStages]), Type.Null()], { description: 'What it proves' }),
    attempt: Type.Integer({ minimum: 1, description: 'During which try to pick the parcels up' }),
    contentType: Type.Enum([...contentTypes], { description: 'By what is in it' }),
    bytes: Type.Integer({ minimum: 1 }),
    width: pixels,
    height: pixels,
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    uploadedBy: Type.Object({ kind: Type.Enum([...actorKinds]), id }, closed),
    uploadedAt: instant,
    content: Type.String({ description: 'Where it is downloaded' }),
  },
  closed,
);
export type Document = Static<typeof Document>;

const endings: Readonly<Record<ContentType, string>> = {
  'application/pdf': 'pdf',
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
};

/** What it is saved as: made of what we know, so that nobody's text gets into a header. */
export function toFileName({ kind, documentId, contentType }: Document): string {
  return `${kind}-${documentId}.${endings[contentType]}`;
}
