import { createHash, randomUUIDv7 } from 'node:crypto';
import { Type } from 'typebox';
import type { HttpReply, PluginContext, Principal } from '#plugin-api';
import { canonicalText, checkBooking, defaultPaymentMethod, ownershipOf, priceOf } from './booking.ts';
import { fromCursor, toCursor } from './cursor.ts';
import { refuse } from './errors.ts';
import { maySee, type Actor, type OrderAction } from './lifecycle.ts';
import { NewOrder, Order, OrderPage, OrderWithHistory, Status } from './order.ts';
import { takeStep, toEventData } from './progress.ts';
import { findOrderByReference, findOrderWithHistory, insertHistory, insertOrder, listOrders } from './store.ts';

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

function toActor(principal: Principal): Actor {
  const { id, role } = principal;
  // The routes admit neither; the core has refused them before.
  if (role === 'anonymous' || role === 'device') throw new TypeError(`Cannot act for a principal that is ${role}`);
  return { kind: role, id };
}

const notFound = (orderId: string): HttpReply => refuse('ORDER_NOT_FOUND', `No order '${orderId}' of yours exists`);

export function registerRoutes(ctx: PluginContext, now: () => number): void {
  ctx.http.post(
    '/orders',
    {
      summary: 'Books the pickup of parcels',
      roles: ['customer', 'partner'],
      body: NewOrder,
      response: { 200: Order, 201: Order },
    },
    (request) => book(ctx, request, now()),
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
      // Every step of an order publishes an event in its own transaction, and nothing else changes it.
      cache: { invalidatedBy: ['order.*'], keyedBy: 'orderId' },
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

interface BookingRequest {
  readonly principal: Principal;
  readonly body: NewOrder;
}

async function book(ctx: PluginContext, request: BookingRequest, nowMs: number): Promise<HttpReply> {
  const booking = request.body;
  const actor = toActor(request.principal);
  const owner = ownershipOf(booking, request.principal);
  if ('code' in owner) return rejected(ctx, owner.code, owner.detail);
  const contentHash = createHash('sha256').update(canonicalText(booking)).digest('hex');
  // Looked up before the window is checked: a retry that arrives after the window began is still a retry.
  const key = { actor, reference: booking.reference, contentHash };
  const known = await repeated(ctx, key);
  if (known !== undefined) return known;
  const refusal = checkBooking(booking, nowMs);
  if (refusal !== undefined) return rejected(ctx, refusal.code, refusal.detail);

  const inserted = await ctx.db.transaction(async (tx) => {
    const orderId = randomUUIDv7();
    const price = priceOf(booking.items);
    const stored = await insertOrder(tx, { orderId, booking, contentHash, createdBy: actor, ...owner, price });
    if (stored === undefined) return undefined;
    await insertHistory(tx, { orderId, sequence: 1, from: null, to: 'created', actor, reason: null });
    await tx.events.publish('order.created', {
      ...toEventData(stored),
      payment: { ...price, method: booking.paymentMethod ?? defaultPaymentMethod },
    });
    return stored;
  });
  if (inserted !== undefined) {
    ctx.metrics.increment('returnit_orders_booked_total', { outcome: 'accepted' });
    return { status: 201, body: inserted.order, headers: { location: `/orders/${inserted.order.orderId}` } };
  }
  // Another request with the same reference has committed since the look-up above.
  const raced = await repeated(ctx, key);
  return raced ?? refuse('ORDER_CHANGED_MEANWHILE', 'Cannot book the order: send the request again');
}

interface BookingKey {
  readonly actor: Actor;
  readonly reference: string | undefined;
  readonly contentHash: string;
}

/** The answer to a booking that was made before under the same reference. */
async function repeated(ctx: PluginContext, key: BookingKey): Promise<HttpReply | undefined> {
  const { actor, reference, contentHash } = key;
  if (reference === undefined) return undefined;
  const known = await findOrderByReference(ctx.db, actor, reference);
  if (known === undefined) return undefined;
  if (known.contentHash !== contentHash) {
    return rejected(
      ctx,
      'ORDER_REFERENCE_CONFLICT',
      `Cannot book the order: reference '${reference}' stands for an order with other content`,
    );
  }
  ctx.metrics.increment('returnit_orders_booked_total', { outcome: 'repeated' });
  return { status: 200, body: known.order };
}

function rejected(ctx: PluginContext, ...refusal: Parameters<typeof refuse>): HttpReply {
  ctx.metrics.increment('returnit_orders_booked_total', { outcome: 'rejected' });
  return refuse(...refusal);
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
