import { Type, type Static } from 'typebox';

export const offerStates = ['open', 'accepted', 'declined', 'timed_out', 'withdrawn', 'lost'] as const;
export type OfferState = (typeof offerStates)[number];

/** What happens to an offer. */
export type OfferAction = 'accept' | 'decline' | 'time_out' | 'withdraw' | 'lose';

const outcomes: Readonly<Record<OfferAction, OfferState>> = {
  accept: 'accepted',
  decline: 'declined',
  time_out: 'timed_out',
  withdraw: 'withdrawn',
  lose: 'lost',
};

export type OfferTransition =
  | { readonly kind: 'moved'; readonly to: OfferState }
  /** It has happened before: a repetition changes nothing and is no error. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly state: OfferState };

/** open → accepted, declined, timed_out, withdrawn, lost; each of those is the end. */
export function transition(state: OfferState, action: OfferAction): OfferTransition {
  const to = outcomes[action];
  if (state === to) return { kind: 'unchanged' };
  return state === 'open' ? { kind: 'moved', to } : { kind: 'refused', state };
}

/** Why an offer is over that its driver neither accepted nor declined. */
export type CloseReason =
  | 'taken'
  | 'cancelled'
  | 'pickup_failed'
  | 'rescheduled'
  | 'held'
  | 'assigned_by_ops'
  | 'withdrawn_by_ops'
  | 'off_shift'
  | 'suspended';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });

export const OfferId = Type.String({ format: 'uuid', maxLength: 36 });

export const Offer = Type.Object(
  {
    offerId: OfferId,
    orderId: Type.String({ maxLength: 64 }),
    driverId: Type.String({ maxLength: 64 }),
    attempt: Type.Integer({ minimum: 1 }),
    state: Type.Enum([...offerStates]),
    reason: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
    distanceM: Type.Number({ minimum: 0 }),
    pickup: Type.Union([Type.Object({ lat: Type.Number(), lon: Type.Number() }, closed), Type.Null()]),
    pickupWindow: Type.Object(
      { start: Type.Union([instant, Type.Null()]), end: Type.Union([instant, Type.Null()]) },
      closed,
    ),
    parcels: Type.Integer({ minimum: 1 }),
    createdAt: instant,
    expiresAt: instant,
    closedAt: Type.Union([instant, Type.Null()]),
  },
  closed,
);
export type Offer = Static<typeof Offer>;

export const OfferPage = Type.Object(
  {
    offers: Type.Array(Offer, { maxItems: 100 }),
    nextCursor: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
  },
  closed,
);
