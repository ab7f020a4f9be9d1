import { Type, type Static } from 'typebox';
import { Document } from '../documents/document.ts';
import { actorKinds } from '../lifecycle.ts';
import { lat, lon } from '../order.ts';
import { proofKinds, proofStages, type ProofStage } from '../requirement.ts';
import { closed, id, instant, line } from '../text-schemas.ts';

/** Stages as paths name them. */
export const stagePaths = { pickup: 'pickup', 'drop-off': 'dropOff' } as const satisfies Record<string, ProofStage>;
export type StagePath = keyof typeof stagePaths;
export const StageName = Type.Enum(Object.keys(stagePaths) as StagePath[]);

/** As many as an order can have. */
const codes = Type.Array(Type.String({ pattern: '^[0-9A-Z]{1,40}$' }), { maxItems: 5000, uniqueItems: true });
const accuracyM = Type.Number({ minimum: 0, maximum: 100_000 });

export const NewProof = Type.Object(
  {
    recordedAt: { ...instant, description: 'When it was, by the clock of whoever says so: the same again is the same' },
    position: Type.Optional(Type.Object({ lat, lon, accuracyM: Type.Optional(accuracyM) }, closed)),
    scans: Type.Optional({ ...codes, description: 'Codes of parcels that were scanned' }),
    signedBy: Type.Optional(line(100, { description: 'Who signed' })),
    remark: Type.Optional(line(500)),
  },
  { ...closed, minProperties: 2 },
);
export type NewProof = Static<typeof NewProof>;

const orNull = <T extends ReturnType<typeof Type.Number>>(schema: T) => Type.Union([schema, Type.Null()]);
const nullableLine = Type.Union([Type.String(), Type.Null()]);

export const ProofRecord = Type.Object(
  {
    attempt: Type.Integer({ minimum: 1 }),
    givenBy: Type.Object({ kind: Type.Enum([...actorKinds]), id }, closed),
    recordedAt: instant,
    receivedAt: instant,
    position: Type.Union([
      Type.Object(
        {
          lat,
          lon,
          accuracyM: orNull(accuracyM),
          distanceM: Type.Integer({ minimum: 0, description: 'From the stop' }),
        },
        closed,
      ),
      Type.Null(),
    ]),
    scans: Type.Array(Type.String(), { maxItems: 5000 }),
    signedBy: nullableLine,
    remark: nullableLine,
  },
  closed,
);
export type ProofRecord = Static<typeof ProofRecord>;

const kinds = Type.Array(Type.Enum([...proofKinds]));

export const Proof = Type.Object(
  {
    stage: Type.Enum([...proofStages]),
    required: kinds,
    missing: kinds,
    records: Type.Array(ProofRecord, { maxItems: 1000 }),
    documents: Type.Array(Document, { maxItems: 1000 }),
  },
  closed,
);
export type Proof = Static<typeof Proof>;

export const Proofs = Type.Object({ proofs: Type.Array(Proof, { maxItems: 2 }), nextCursor: Type.Null() }, closed);
