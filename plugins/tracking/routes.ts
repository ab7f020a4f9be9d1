import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import type { ArrivalTimes } from './arrival-times.ts';
import { refuse } from './errors.ts';
import { fromCursor, toCursor, toRange } from './history.ts';
import { findWatchedOrder } from './store/orders.ts';
import { readTrack } from './store/track.ts';
import { decideVisibility, OrderPosition } from './visibility.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const nullableNumber = Type.Union([Type.Number(), Type.Null()]);

const OrderParams = Type.Object({ orderId: Type.String({ format: 'uuid' }) }, closed);
const DriverParams = Type.Object({ driverId: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }) }, closed);
const HistoryQuery = Type.Object(
  {
    from: Type.Optional(instant),
    to: Type.Optional(instant),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
  },
  closed,
);
const HistoryPage = Type.Object(
  {
    fixes: Type.Array(
      Type.Object(
        {
          device: Type.String({ maxLength: 64 }),
          recordedAt: instant,
          lat: Type.Number(),
          lon: Type.Number(),
          accuracyM: nullableNumber,
          speedMps: nullableNumber,
          headingDeg: nullableNumber,
          receivedAt: instant,
        },
        closed,
      ),
      { maxItems: 1000 },
    ),
    nextCursor: Type.Union([Type.String({ maxLength: 300 }), Type.Null()]),
  },
  closed,
);

export function registerRoutes(ctx: PluginContext, arrivalTimes: ArrivalTimes, now: () => number): void {
  ctx.http.get(
    '/tracking/orders/{orderId}/position',
    {
      summary: "The newest position of an order's driver; for its customer from 'on the way' to the completion",
      roles: ['customer', 'partner', 'driver', 'ops'],
      params: OrderParams,
      response: { 200: OrderPosition },
    },
    async ({ principal, params: { orderId } }) => {
      const order = await findWatchedOrder(ctx.db, orderId);
      const decision = decideVisibility(order, principal);
      if (decision.kind === 'hidden') return refuse('POSITION_NOT_FOUND', `Cannot show a position: ${decision.reason}`);
      if (decision.position === null) {
        return refuse('POSITION_NOT_FOUND', 'Cannot show a position: the driver has not sent one');
      }
      const { position } = decision;
      return {
        status: 200,
        body: await arrivalTimes.show({ orderId, driverId: order?.driverId ?? '', position }),
      };
    },
  );

  ctx.http.get(
    '/tracking/drivers/{driverId}/history',
    {
      summary: 'Where a driver was, oldest first; the last day unless asked otherwise',
      roles: ['ops'],
      params: DriverParams,
      query: HistoryQuery,
      response: { 200: HistoryPage },
    },
    ({ params, query }) => history(ctx, { driverId: params.driverId, ...query }, now()),
  );
}

interface HistoryRequest {
  readonly driverId: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

async function history(ctx: PluginContext, request: HistoryRequest, nowMs: number): Promise<HttpReply> {
  const range = toRange(request, nowMs);
  if (typeof range === 'string') return refuse('HISTORY_RANGE_INVALID', range);
  const afterCursor = request.cursor === undefined ? undefined : fromCursor(request.cursor);
  if (request.cursor !== undefined && afterCursor === undefined)
    return refuse('HISTORY_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  const limit = request.limit ?? 100;
  const { driverId } = request;
  const [fromMs, toMs] = [Date.parse(range.from), Date.parse(range.to)];
  const rows = await readTrack(ctx.db, { driverId, fromMs, toMs, afterCursor, limit: limit + 1 });
  const last = rows.slice(0, limit).at(-1);
  const fixes = rows.slice(0, limit).map(({ key: _key, flags: _flags, ...fix }) => fix);
  return {
    status: 200,
    body: { fixes, nextCursor: rows.length > limit && last !== undefined ? toCursor(last.key) : null },
  };
}
