import type { PluginContext, Transaction } from '#plugin-api';
import { offersTopicOf } from './device.ts';
import { countOffers } from './offer-metrics.ts';
import type { CloseReason, OfferState } from './offer.ts';
import { findOffer, type ClosedOffer, type InsertedOffer } from './store/offers.ts';

/** Where messages to phones are made: a job, so that nothing is pushed that was rolled back, and a failure is tried again. */
const pushQueue = 'drivers.push';

/** What a phone may be told late is no longer worth telling: the offer is over by then. */
const closedExpirySeconds = 120;
const retryLimit = 3;

export type PushJob =
  | { readonly kind: 'offer'; readonly offerId: string }
  | { readonly kind: 'closed'; readonly offerId: string; readonly reason: string };

export async function pushOffers(tx: Pick<Transaction, 'jobs'>, offers: readonly InsertedOffer[]): Promise<void> {
  for (const { offerId } of offers) await tx.jobs.send(pushQueue, { kind: 'offer', offerId }, { retryLimit });
}

/** Phones take an offer off their screens that is no longer theirs to accept. */
export async function pushClosed(
  tx: Pick<Transaction, 'jobs'>,
  offers: readonly ClosedOffer[],
  reason: CloseReason,
): Promise<void> {
  for (const { offerId } of offers) await tx.jobs.send(pushQueue, { kind: 'closed', offerId, reason }, { retryLimit });
}

/** Each offer that others closed has one such job, and its first try counts it. */
function countClosed(ctx: PluginContext, state: OfferState): void {
  if (state === 'withdrawn' || state === 'lost') countOffers(ctx, state, 1);
}

export function registerPushing(ctx: PluginContext, now: () => number): void {
  ctx.jobs.work<PushJob>(pushQueue, async ({ data, attempt: tryNumber }) => {
    const offer = await findOffer(ctx.db, data.offerId);
    if (offer === undefined) return;
    if (data.kind === 'closed' && tryNumber === 1) countClosed(ctx, offer.state);
    const { offerId, orderId, driverId, expiresAt } = offer;
    const topic = offersTopicOf(driverId);
    if (data.kind === 'closed') {
      const message = { type: 'closed', offerId, orderId, reason: data.reason };
      await ctx.mqtt.publish(topic, message, { qos: 1, expirySeconds: closedExpirySeconds });
      return;
    }
    // Rounded down: a phone that gets it has a moment left to answer.
    const expirySeconds = Math.floor((Date.parse(expiresAt) - now()) / 1000);
    if (offer.state !== 'open' || expirySeconds < 1) return;
    const { attempt, distanceM, pickup, pickupWindow, parcels } = offer;
    const message = { type: 'offer', offerId, orderId, attempt, pickup, pickupWindow, parcels, expiresAt };
    await ctx.mqtt.publish(topic, { ...message, distanceM: Math.round(distanceM) }, { qos: 1, expirySeconds });
  });
}
