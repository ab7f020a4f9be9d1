import type { Transaction } from '#plugin-api';
import { tryNow } from './dispatch.ts';
import { transition, type Offer, type OfferState } from './offer.ts';
import { pushClosed } from './pushing.ts';
import { lockDrivers } from './store/candidates.ts';
import { closeOffer, findOffer } from './store/offers.ts';

export type AnswerOutcome =
  | { readonly kind: 'moved' | 'unchanged'; readonly offer: Offer }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly code: OverCode; readonly state: OfferState };

type OverCode = 'OFFER_ACCEPTED' | 'OFFER_DECLINED' | 'OFFER_EXPIRED' | 'OFFER_WITHDRAWN' | 'OFFER_TAKEN';

const overCodes: Readonly<Record<Exclude<OfferState, 'open'>, OverCode>> = {
  accepted: 'OFFER_ACCEPTED',
  declined: 'OFFER_DECLINED',
  timed_out: 'OFFER_EXPIRED',
  withdrawn: 'OFFER_WITHDRAWN',
  lost: 'OFFER_TAKEN',
};

export interface OfferAnswer {
  readonly offerId: string;
  readonly driverId: string;
  /** By the driver, or by ops. */
  readonly verb: 'decline' | 'withdraw';
  readonly reason: string | null;
}

/** Declined or withdrawn: the next driver is asked at once. With the driver locked, it is not accepted at the same moment. */
export async function answerOffer(tx: Transaction, answer: OfferAnswer): Promise<AnswerOutcome> {
  const { offerId, driverId, verb, reason } = answer;
  await lockDrivers(tx, [driverId]);
  const offer = await findOffer(tx, offerId);
  if (offer === undefined || offer.driverId !== driverId) return { kind: 'missing' };
  const step = transition(offer.state, verb);
  if (step.kind === 'unchanged') return { kind: 'unchanged', offer };
  const to =
    verb === 'decline'
      ? ({ state: 'declined', reason } as const)
      : ({ state: 'withdrawn', reason: withdrawn } as const);
  const isClosed = step.kind === 'moved' && (await closeOffer(tx, offerId, to));
  const now = await findOffer(tx, offerId);
  if (now === undefined) return { kind: 'missing' };
  if (!isClosed) {
    // Not open, or closed with its order in the moment between.
    const { state } = now;
    return { kind: 'refused', code: state === 'open' ? 'OFFER_EXPIRED' : overCodes[state], state };
  }
  if (verb === 'withdraw') await pushClosed(tx, [offer], withdrawn);
  await tryNow(tx, offer.orderId, offerId);
  return { kind: 'moved', offer: now };
}

const withdrawn = 'withdrawn_by_ops';
