import { Type, type Static } from 'typebox';
import type { HttpReply, Principal } from '#plugin-api';
import { toActor } from '../actor.ts';
import { fromCursor, toCursor } from '../cursor.ts';
import { refuse } from '../errors.ts';
import type { Actor } from '../lifecycle.ts';
import { OrderPage, Status } from '../order.ts';
import { toSearchQuery } from '../search-text.ts';
import { listOrders, type OrderFilter } from '../store/list.ts';
import { instant, principalId } from '../text-schemas.ts';
import type { RouteDeps } from './parts.ts';

const ListQuery = Type.Object(
  {
    status: Type.Optional(Status),
    from: Type.Optional({ ...instant, description: 'Booked then or later' }),
    to: Type.Optional({ ...instant, description: 'Booked earlier' }),
    customerId: Type.Optional(principalId('Of this customer')),
    partnerId: Type.Optional(principalId('Booked by this partner')),
    driverId: Type.Optional(principalId('Of this driver')),
    text: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description: 'Beginnings of words: of retailer, references, names, addresses and parcel codes',
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false },
);

export function registerListRoutes({ ctx }: RouteDeps): void {
  ctx.http.get(
    '/orders',
    {
      summary: 'Finds the orders that the caller has to do with, newest first',
      roles: ['customer', 'partner', 'driver', 'ops'],
      query: ListQuery,
      response: { 200: OrderPage },
    },
    ({ principal, query }) => list(ctx.db, principal, query),
  );
}

async function list(
  db: RouteDeps['ctx']['db'],
  principal: Principal,
  query: Static<typeof ListQuery>,
): Promise<HttpReply> {
  const before = query.cursor === undefined ? undefined : fromCursor(query.cursor);
  if (query.cursor !== undefined && before === undefined) {
    return refuse('ORDER_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  }
  const { from, to } = query;
  if ([from, to].some((time) => time !== undefined && Number.isNaN(Date.parse(time)))) {
    return refuse('ORDER_RANGE_INVALID', "'from' and 'to' must be points in time, such as 2026-05-04T09:00:00Z");
  }
  const nothing: HttpReply = { status: 200, body: { orders: [], nextCursor: null } };
  const own = ownFilter(toActor(principal), query);
  const text = query.text === undefined ? undefined : toSearchQuery(query.text);
  if (own === undefined || (query.text !== undefined && text === undefined)) return nothing;
  const limit = query.limit ?? 20;
  // One more than asked for tells whether there is a next page.
  const found = await listOrders(db, { ...own, status: query.status, from, to, text, before, limit: limit + 1 });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const nextCursor = found.length > limit && last !== undefined ? toCursor(last.position) : null;
  return { status: 200, body: { orders: page.map(({ order }) => order), nextCursor } };
}

type Involved = Pick<OrderFilter, 'customerId' | 'partnerId' | 'driverId'>;

/** The filter by who has to do with the orders, narrowed to the caller's own; undefined when that leaves none. */
function ownFilter({ kind, id }: Actor, { customerId, partnerId, driverId }: Involved): Involved | undefined {
  const asked = { customerId, partnerId, driverId };
  if (kind === 'ops' || kind === 'system') return asked;
  const name = `${kind}Id` as const;
  return asked[name] === undefined || asked[name] === id ? { ...asked, [name]: id } : undefined;
}
