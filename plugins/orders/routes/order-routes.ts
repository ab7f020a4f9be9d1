import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext, Principal } from '#plugin-api';
import { toActor } from '../actor.ts';
import { bookOrder } from '../booking-flow.ts';
import { refuse } from '../errors.ts';
import { expectedVersion, toETag } from '../etag.ts';
import { maySee } from '../lifecycle.ts';
import { editNotes } from '../notes.ts';
import { NewOrder, Notes, Order, OrderWithHistory } from '../order.ts';
import { findOrderWithHistory } from '../store/orders.ts';
import { countStep } from '../step-metrics.ts';
import { notFound, OrderParams, replyWith, type RouteDeps } from './parts.ts';
import { toReply } from './step-reply.ts';

const EditOrder = Type.Object(
  { notes: Type.Union([Notes, Type.Null()], { description: 'For the driver' }) },
  { additionalProperties: false },
);

/** Every change of an order publishes an event in its own transaction. */
const untilChanged = { invalidatedBy: ['order.*'], keyedBy: 'orderId' };

export function registerOrderRoutes(deps: RouteDeps): void {
  const { ctx, now } = deps;
  ctx.http.post(
    '/orders',
    {
      summary: 'Books the pickup of parcels',
      roles: ['customer', 'partner'],
      body: NewOrder,
      response: { 200: Order, 201: Order },
      budget: 'orders',
    },
    (request) => book(deps, request),
  );

  ctx.http.get(
    '/orders/{orderId}',
    {
      summary: 'One order with its history',
      roles: ['customer', 'partner', 'driver', 'ops'],
      params: OrderParams,
      response: { 200: OrderWithHistory },
      cache: untilChanged,
    },
    ({ principal, params }) => read(ctx, principal, params.orderId),
  );

  ctx.http.patch(
    '/orders/{orderId}',
    {
      summary: 'Changes the notes of an order: its customer and partner until it is assigned, ops until it is over',
      roles: ['customer', 'partner', 'ops'],
      params: OrderParams,
      body: EditOrder,
      response: { 200: Order },
      ifMatch: true,
    },
    async ({ principal, params, body, headers, id }) => {
      const edit = {
        orderId: params.orderId,
        actor: toActor(principal),
        notes: body.notes,
        traceId: id,
        expectedVersion: expectedVersion(headers),
        continueTrace: ctx.continueTrace,
      };
      const outcome = await ctx.db.transaction((tx) => editNotes(tx, edit));
      countStep(ctx, { action: 'edit', outcome, nowMs: now() });
      return toReply(outcome, params.orderId);
    },
  );
}

async function book(
  { ctx, settings, now }: RouteDeps,
  asked: HttpRequest<unknown, unknown, NewOrder>,
): Promise<HttpReply> {
  const { db, metrics } = ctx;
  const { principal, body, headers, id } = asked;
  const keyedId = headers['idempotency-key'] === undefined ? undefined : asked.newId();
  const request = { principal, booking: body, keyedId, traceId: id, traceparent: ctx.traceparent() };
  const outcome = await bookOrder({ db, metrics, settings }, request, now());
  if (outcome.kind === 'refused') return refuse(outcome.code, outcome.detail, outcome.extensions);
  const reply = replyWith(outcome.stored, { location: `/orders/${outcome.stored.order.orderId}` });
  return { ...reply, status: outcome.kind === 'repeated' ? 200 : 201 };
}

async function read(ctx: PluginContext, principal: Principal, orderId: string): Promise<HttpReply> {
  const found = await findOrderWithHistory(ctx.db, orderId);
  if (found === undefined || !maySee(found.order, toActor(principal))) return notFound(orderId);
  const { order, history } = found;
  return { status: 200, body: { ...order, history }, headers: { etag: toETag(order.version) } };
}
