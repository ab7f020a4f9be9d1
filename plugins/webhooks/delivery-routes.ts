import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext } from '#plugin-api';
import { fromCursor, sequenceForm, toCursor } from './cursor.ts';
import { scopeOf } from './endpoint.ts';
import { refuse, type Refusal } from './errors.ts';
import type { Settings } from './settings.ts';
import {
  countBacklog,
  findDelivery,
  hasten,
  listAttempts,
  listDeliveries,
  redeliver,
  type StoredDelivery,
} from './store/deliveries.ts';
import { findEndpoint, lockEndpoint } from './store/endpoints.ts';
import { wakeSender } from './wake.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const maybeInstant = Type.Union([instant, Type.Null()]);
const maybeText = (maxLength: number) => Type.Union([Type.String({ maxLength }), Type.Null()]);
const maybeStatus = Type.Union([Type.Integer(), Type.Null()]);
const uuid = Type.String({ format: 'uuid' });
const State = Type.Enum(['pending', 'delivered', 'failed', 'cancelled']);
const roles = ['partner', 'ops'] as const;
const attemptsShown = 100;
/** As for tests; who comes back from an outage has much to ask for. */
const redeliveriesPerMinute = 600;

const deliveryFields = {
  deliveryId: uuid,
  messageId: Type.String({ maxLength: 64, description: "The header 'webhook-id'" }),
  endpointId: uuid,
  partnerId: Type.String({ maxLength: 128 }),
  orderId: maybeText(128),
  type: Type.String({ maxLength: 64 }),
  state: State,
  attempts: Type.Integer({ minimum: 0 }),
  lastStatus: maybeStatus,
  lastError: maybeText(1000),
  createdAt: instant,
  dueAt: Type.Union([instant, Type.Null()], { description: 'When it is tried next' }),
  expiresAt: Type.String({ format: 'date-time', maxLength: 40, description: 'When it is given up' }),
  finishedAt: maybeInstant,
};
const Delivery = Type.Object(deliveryFields, closed);
const Attempt = Type.Object(
  {
    attemptedAt: instant,
    outcome: Type.String({ maxLength: 32 }),
    status: maybeStatus,
    latencyMs: Type.Integer({ minimum: 0 }),
    response: Type.Union([Type.String(), Type.Null()], { description: 'The first bytes of the answer' }),
    error: maybeText(1000),
  },
  closed,
);
const DeliveryWithLog = Type.Object(
  {
    ...deliveryFields,
    body: Type.String({ description: 'What is sent, byte for byte' }),
    log: Type.Array(Attempt, { maxItems: attemptsShown, description: 'Attempts, the newest first' }),
  },
  closed,
);
const DeliveryPage = Type.Object(
  { deliveries: Type.Array(Delivery, { maxItems: 100 }), nextCursor: maybeText(200) },
  closed,
);
const ListQuery = Type.Object(
  {
    orderId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    endpointId: Type.Optional(uuid),
    state: Type.Optional(State),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  closed,
);
const Params = Type.Object({ deliveryId: uuid }, closed);
type Place = { readonly deliveryId: string };

/** The log: what was sent, what came of it, and once more. */
export function registerDeliveryRoutes(ctx: PluginContext, settings: Settings): void {
  ctx.http.get(
    '/webhooks/deliveries',
    { summary: 'Deliveries, newest first', roles, query: ListQuery, response: { 200: DeliveryPage } },
    async ({ principal, query }) => {
      const before = query.cursor === undefined ? null : fromCursor(query.cursor, sequenceForm);
      if (before === undefined) {
        return refuse('WEBHOOK_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
      }
      const { limit = 20, orderId = null, endpointId = null, state = null } = query;
      const filter = { scope: scopeOf(principal), orderId, endpointId, state, before, limit: limit + 1 };
      const rows = await listDeliveries(ctx.db, filter);
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        status: 200,
        body: {
          deliveries: page.map(toDelivery),
          nextCursor: rows.length > limit && last !== undefined ? toCursor(last.sequence) : null,
        },
      };
    },
  );
  ctx.http.get(
    '/webhooks/deliveries/{deliveryId}',
    { summary: 'A delivery with its attempts', roles, params: Params, response: { 200: DeliveryWithLog } },
    async ({ principal, params: { deliveryId } }) => {
      const found = await findDelivery(ctx.db, deliveryId, scopeOf(principal));
      if (found === undefined) return unknownDelivery(deliveryId);
      const { body, ...delivery } = found;
      const log = await listAttempts(ctx.db, deliveryId, attemptsShown);
      return { status: 200, body: { ...toDelivery(delivery), body, log } };
    },
  );
  ctx.http.post(
    '/webhooks/deliveries/{deliveryId}/redeliver',
    {
      summary: 'Sends it once more, with the same id; one that waits is tried now',
      roles,
      params: Params,
      response: { 202: Delivery },
      requestsPerMinute: redeliveriesPerMinute,
    },
    (request) => sendAgain(ctx, request, settings),
  );
}

function sendAgain(ctx: PluginContext, request: HttpRequest<Place>, settings: Settings): Promise<HttpReply> {
  const { deliveryId } = request.params;
  const scope = scopeOf(request.principal);
  return ctx.db.transaction(async (tx) => {
    const found = await findDelivery(tx, deliveryId, scope);
    if (found === undefined) return unknownDelivery(deliveryId);
    const { endpointId } = found;
    await lockEndpoint(tx, endpointId, scope);
    const endpoint = await findEndpoint(tx, endpointId, scope);
    if (endpoint === undefined) {
      return refuse('WEBHOOK_ENDPOINT_NOT_FOUND', 'Cannot send again: the endpoint of this delivery was deleted');
    }
    if (endpoint.state === 'disabled') {
      return refuse('WEBHOOK_ENDPOINT_DISABLED', 'Cannot send again: the endpoint is disabled; enable it first');
    }
    if (found.state === 'pending') await hasten(tx, deliveryId);
    else if ((await countBacklog(tx, endpointId, settings.backlogMax)) >= settings.backlogMax) {
      return refuse('WEBHOOK_BACKLOG_FULL', `Cannot send again: ${settings.backlogMax} deliveries wait already`);
    } else await redeliver(tx, deliveryId, settings.retrySeconds);
    await wakeSender(tx);
    const again = await findDelivery(tx, deliveryId, scope);
    if (again === undefined) return unknownDelivery(deliveryId);
    const { body: _body, ...delivery } = again;
    return { status: 202, body: toDelivery(delivery) };
  });
}

function toDelivery({ sequence: _sequence, ...delivery }: StoredDelivery): Omit<StoredDelivery, 'sequence'> {
  return delivery;
}

function unknownDelivery(deliveryId: string): Refusal {
  return refuse('WEBHOOK_DELIVERY_NOT_FOUND', `You have no delivery '${deliveryId}'`);
}
