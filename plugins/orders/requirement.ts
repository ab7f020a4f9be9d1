import { Type, type Static } from 'typebox';
import { closed } from './text-schemas.ts';

/** A scan is of each parcel; a position says with its time where the proof was made. */
export const proofKinds = ['photo', 'signature', 'scan', 'position'] as const;
export type ProofKind = (typeof proofKinds)[number];

export const proofStages = ['pickup', 'dropOff'] as const;
export type ProofStage = (typeof proofStages)[number];

const kinds = Type.Array(Type.Enum([...proofKinds], { type: 'string' }), {
  maxItems: proofKinds.length,
  uniqueItems: true,
});

/** Which proofs an order needs before its parcels are picked up and before they are delivered. */
export const ProofRequired = Type.Object({ pickup: kinds, dropOff: kinds }, closed);
export type ProofRequired = Static<typeof ProofRequired>;
