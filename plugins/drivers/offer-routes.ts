import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext } from '#plugin-api';
import { acceptOffer, type AcceptOutcome, type TooLate } from './accepting.ts';
import { OrderId } from './assignment.ts';
import { fromTheNewest, fromTimeCursor, toPage, toTimeCursor } from './cursor.ts';
import { DriverId, DriverParams } from './driver.ts';
import { cursorInvalid, driverNotFound, refuse } from './errors.ts';
import { answerOffer } from './answering.ts';
import { countOffers, countWon } from './offer-metrics.ts';
import { Offer, OfferId, OfferPage } from './offer.ts';
import type { Settings } from './settings.ts';
import { findDriver } from './store/drivers.ts';
import { findOffer, listOffers, listOpenOffers } from './store/offers.ts';

const closed = { additionalProperties: false } as const;
const OfferParams = Type.Object({ driverId: DriverId, offerId: OfferId }, closed);
const page = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
};
const OwnQuery = Type.Object(
  {
    ...page,
    all: Type.Optional(Type.Boolean({ default: false, description: 'Also those that are over, the newest first' })),
  },
  closed,
);
const OpsQuery = Type.Object({ ...page, orderId: OrderId }, closed);
const Answer = Type.Object(
  { reason: Type.Optional(Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,200}$' })) },
  closed,
);

export function registerOfferRoutes(ctx: PluginContext, settings: Settings): void {
  ctx.http.get(
    '/drivers/{driverId}/offers',
    {
      summary: 'What a driver can accept now; all it was offered with all=true',
      roles: ['driver', 'ops'],
      params: DriverParams,
      query: OwnQuery,
      response: { 200: OfferPage },
    },
    async ({ principal, params: { driverId }, query: { all = false, ...query } }) => {
      if (principal.role === 'driver' && principal.id !== driverId) return driverNotFound(driverId);
      if ((await findDriver(ctx.db, driverId)) === undefined) return driverNotFound(driverId);
      if (all) return list(ctx, { kind: 'driver', id: driverId }, query);
      return { status: 200, body: { offers: await listOpenOffers(ctx.db, driverId), nextCursor: null } };
    },
  );

  ctx.http.get(
    '/drivers/offers',
    {
      summary: 'Who was offered an order, and what came of it',
      roles: ['ops'],
      query: OpsQuery,
      response: { 200: OfferPage },
    },
    ({ query: { orderId, ...query } }) => list(ctx, { kind: 'order', id: orderId }, query),
  );

  ctx.http.post(
    '/drivers/{driverId}/offers/{offerId}/accept',
    {
      summary: 'Takes the order; of several who are asked the first gets it, the others are told 409 and why',
      roles: ['driver'],
      params: OfferParams,
      response: { 200: Offer },
    },
    (request) => accept(ctx, request, settings),
  );

  for (const [verb, roles, summary] of [
    ['decline', ['driver'], 'Lets an offer pass: the next driver is asked at once'],
    ['withdraw', ['ops'], 'Takes an offer back: the driver is not asked again, the next one is at once'],
  ] as const) {
    ctx.http.post(
      `/drivers/{driverId}/offers/{offerId}/${verb}`,
      { summary, roles, params: OfferParams, body: Answer, response: { 200: Offer } },
      (request) => close(ctx, request, verb),
    );
  }
}

type OfferRequest<Body = unknown> = HttpRequest<{ readonly driverId: string; readonly offerId: string }, unknown, Body>;

async function list(
  ctx: PluginContext,
  of: { readonly kind: 'order' | 'driver'; readonly id: string },
  { limit = 20, cursor }: { readonly limit?: number; readonly cursor?: string },
): Promise<HttpReply> {
  const before = cursor === undefined ? fromTheNewest('uuid') : fromTimeCursor(cursor, 'uuid');
  if (before === undefined) return cursorInvalid();
  const found = await listOffers(ctx.db, of, { before, limit: limit + 1 });
  const { rows, nextCursor } = toPage(found, limit, ({ createdAt, offerId: id }) => toTimeCursor({ createdAt, id }));
  return { status: 200, body: { offers: rows, nextCursor } };
}

const offerNotFound = (offerId: string): HttpReply =>
  refuse('OFFER_NOT_FOUND', `No offer '${offerId}' exists that you may see`);

async function accept(ctx: PluginContext, request: OfferRequest, settings: Settings): Promise<HttpReply> {
  const { driverId, offerId } = request.params;
  if (request.principal.id !== driverId) return driverNotFound(driverId);
  const { continueTrace } = ctx;
  const outcome = await ctx.db.transaction((tx) => acceptOffer(tx, { offerId, driverId, continueTrace }, settings));
  if (outcome.kind === 'won') countWon(ctx, outcome.accepted.waitedSeconds);
  if (outcome.kind === 'refused') countOffers(ctx, 'late', 1);
  return toReply(ctx, offerId, outcome);
}

async function toReply(ctx: PluginContext, offerId: string, outcome: AcceptOutcome): Promise<HttpReply> {
  if (outcome.kind === 'missing') return offerNotFound(offerId);
  if (outcome.kind === 'refused') return refuseLate(outcome.why);
  const offer = await findOffer(ctx.db, offerId);
  return offer === undefined ? offerNotFound(offerId) : { status: 200, body: offer };
}

/** The code says who was too late and why; who has the order instead is not for other drivers to know. */
function refuseLate(why: TooLate): HttpReply {
  const cannot = 'Cannot accept the offer:';
  switch (why.code) {
    case 'OFFER_TAKEN':
      return refuse(why.code, `${cannot} another driver had the order first`, { takenAt: why.takenAt });
    case 'OFFER_EXPIRED':
      return refuse(why.code, `${cannot} its time is over`, { expiredAt: why.expiredAt });
    case 'OFFER_WITHDRAWN':
      return refuse(why.code, `${cannot} it was withdrawn (${why.because})`, { because: why.because });
    case 'OFFER_DECLINED':
      return refuse(why.code, `${cannot} you have declined it`);
    case 'DRIVER_NOT_AVAILABLE':
      return refuse(why.code, `${cannot} you are ${why.because}`, { because: why.because });
    default:
      return refuse(why.code, `${cannot} you have as many orders, or as much in the vehicle, as you may`);
  }
}

async function close(
  ctx: PluginContext,
  request: OfferRequest<{ readonly reason?: string }>,
  verb: 'decline' | 'withdraw',
): Promise<HttpReply> {
  const { driverId, offerId } = request.params;
  if (request.principal.role === 'driver' && request.principal.id !== driverId) return driverNotFound(driverId);
  const { reason = null } = request.body;
  const outcome = await ctx.db.transaction((tx) => answerOffer(tx, { offerId, driverId, verb, reason }));
  if (outcome.kind === 'missing') return offerNotFound(offerId);
  if (outcome.kind === 'refused') {
    const { code, state } = outcome;
    return refuse(code, `Cannot ${verb} the offer: it is ${state}`);
  }
  if (outcome.kind === 'moved' && verb === 'decline') countOffers(ctx, 'declined', 1);
  return { status: 200, body: outcome.offer };
}
