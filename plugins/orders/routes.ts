import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext, Principal } from '#plugin-api';
import { toActor } from './actor.ts';
import { bookOrder, type BookingDeps } from './booking-flow.ts';
import { fromCursor, toCursor } from './cursor.ts';
import { refuse } from './errors.ts';
import { maySee, type OrderAction } from './lifecycle.ts';
import { NewOrder, Order, OrderPage, OrderWithHistory, Status } from './order.ts';
import { takeStep } from './progress.ts';
import type { Settings } from './settings.ts';
import { findOrderWithHistory, listOrders } from './store.ts';

const OrderParams = Type.Object({ orderId: Type.String({ format: 'uuid' }) }, { additionalProperties: false });
const CancelOrder = Type.Object(
  { reason: Type.Optional(Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,200}$' })) },
  { additionalProperties: false },
);
const ListQuery = Type.Object(
  {
    status: Type.Optional(Status),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false },
);

const notFound = (orderId: string): HttpReply => refuse('ORDER_NOT_FOUND', `No order '${orderId}' of yours exists`);

export interface RouteOptions {
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function registerRoutes(ctx: PluginContext, { settings, now }: RouteOptions): void {
  const booking: BookingDeps = { db: ctx.db, metrics: ctx.metrics, settings };
  ctx.http.post(
    '/orders',
    {
      summary: 'Books the pickup of parcels',
      roles: ['customer', 'partner'],
      body: NewOrder,
      response: { 200: Order, 201: Order },
    },
    (request) => book(booking, request, now()),
  );

  ctx.http.get(
    '/orders',
    {
      summary: 'Lists the orders that the caller has to do with, newest first',
      roles: ['customer', 'partner', 'driver', 'ops'],
      query: ListQuery,
      response: { 200: OrderPage },
    },
    (request) => list(ctx, request.principal, request.query),
  );

  ctx.http.get(
    '/orders/{orderId}',
    {
      summary: 'One order with its history',
      roles: ['customer', 'partner', 'driver', 'ops'],
      params: OrderParams,
      response: { 200: OrderWithHistory },
    },
    async ({ principal, params }) => {
      const found = await findOrderWithHistory(ctx.db, params.orderId);
      if (found === undefined || !maySee(found.order, toActor(principal))) return notFound(params.orderId);
      return { status: 200, body: { ...found.order, history: found.history } };
    },
  );

  ctx.http.post(
    '/orders/{orderId}/cancel',
    {
      summary: 'Cancels an order whose parcels have not been picked up',
      roles: ['customer', 'partner', 'ops'],
      params: OrderParams,
      body: CancelOrder,
      response: { 200: Order },
    },
    (request) =>
      act(ctx, request.principal, { orderId: request.params.orderId, action: 'cancel', reason: request.body.reason }),
  );

  for (const [verb, action, summary] of driverSteps) {
    ctx.http.post(
      `/orders/{orderId}/${verb}`,
      { summary, roles: ['driver', 'ops'], params: OrderParams, response: { 200: Order } },
      (request) => act(ctx, request.principal, { orderId: request.params.orderId, action }),
    );
  }
}

const driverSteps: readonly (readonly [verb: string, action: OrderAction, summary: string])[] = [
  ['start', 'start', 'The driver is on the way to the customer'],
  ['pickup', 'pick_up', 'The driver has the parcels'],
  ['deliver', 'deliver', 'The driver has handed the parcels over'],
  ['complete', 'complete', 'The store or carrier has accepted the parcels'],
];

async function book(
  deps: BookingDeps,
  { principal, body, headers, id }: HttpRequest<unknown, unknown, NewOrder>,
  nowMs: number,
): Promise<HttpReply> {
  const request = { principal, booking: body, idempotencyKey: headers['idempotency-key'], traceId: id };
  const outcome = await bookOrder(deps, request, nowMs);
  if (outcome.kind === 'refused') return refuse(outcome.code, outcome.detail, outcome.extensions);
  const { order } = outcome.stored;
  return outcome.kind === 'repeated'
    ? { status: 200, body: order }
    : { status: 201, body: order, headers: { location: `/orders/${order.orderId}` } };
}

async function list(
  ctx: PluginContext,
  principal: Principal,
  query: { readonly status?: Order['status']; readonly limit?: number; readonly cursor?: string },
): Promise<HttpReply> {
  const before = query.cursor === undefined ? null : fromCursor(query.cursor);
  if (before === undefined) return refuse('ORDER_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  const limit = query.limit ?? 20;
  const status = query.status ?? null;
  // One more than asked for tells whether there is a next page.
  const rows = await listOrders(ctx.db, { actor: toActor(principal), status, before, limit: limit + 1 });
  const orders = rows.slice(0, limit);
  const last = orders.at(-1);
  return {
    status: 200,
    body: { orders, nextCursor: rows.length > limit && last !== undefined ? toCursor(last.orderId) : null },
  };
}

interface Act {
  readonly orderId: string;
  readonly action: OrderAction;
  readonly reason?: string | undefined;
}

async function act(ctx: PluginContext, principal: Principal, step: Act): Promise<HttpReply> {
  const outcome = await ctx.db.transaction((tx) => takeStep(tx, { ...step, actor: toActor(principal) }));
  ctx.metrics.increment('returnit_orders_steps_total', { action: step.action, outcome: outcome.kind });
  if (outcome.kind === 'missing') return notFound(step.orderId);
  if (outcome.kind === 'refused') return refuse('ORDER_STATE_CONFLICT', outcome.detail);
  if (outcome.kind === 'raced') {
    return refuse('ORDER_CHANGED_MEANWHILE', `Cannot ${step.action} the order: read it again, then decide`);
  }
  return { status: 200, body: outcome.stored.order };
}
