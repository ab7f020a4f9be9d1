import { Type } from 'typebox';
import type { HttpReply } from '#plugin-api';
import { toActor } from '../actor.ts';
import { checkPlace } from '../booking.ts';
import { refuse } from '../errors.ts';
import { expectedVersion, toETag } from '../etag.ts';
import { checkPriceList, NewPriceList, PriceList } from '../price.ts';
import { giveQuote } from '../pricing.ts';
import { NewQuote, Quote } from '../quote.ts';
import { insertPriceList, listPriceLists, pricesChanged } from '../store/prices.ts';
import { closed } from '../text-schemas.ts';
import { checkWindow } from '../window.ts';
import type { RouteDeps } from './parts.ts';

const PricesQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,8}$' })),
  },
  closed,
);
const PricePage = Type.Object(
  { prices: Type.Array(PriceList, { maxItems: 100 }), nextCursor: Type.Union([Type.String(), Type.Null()]) },
  closed,
);

export function registerPriceRoutes(deps: RouteDeps): void {
  const { ctx, settings, now } = deps;
  ctx.http.post(
    '/orders/quotes',
    {
      summary: 'Says what an order costs, and holds the price for a while',
      roles: ['customer', 'partner'],
      body: NewQuote,
      response: { 201: Quote },
    },
    async ({ principal, body, newId }): Promise<HttpReply> => {
      const nowMs = now();
      const refusal =
        checkPlace('pickup', body.pickup) ??
        checkPlace('destination', body.destination) ??
        checkWindow(body.pickupWindow, nowMs);
      if (refusal !== undefined) return refuse(refusal.code, refusal.detail);
      const actor = toActor(principal);
      const quoteId = newId();
      const { db, metrics } = ctx;
      return {
        status: 201,
        body: await giveQuote({ db, metrics, settings }, { quoteId, actor, content: body }, nowMs),
      };
    },
  );

  ctx.http.get(
    '/orders/prices',
    {
      summary: 'Price lists, the newest first',
      roles: ['ops'],
      query: PricesQuery,
      response: { 200: PricePage },
    },
    async ({ query }): Promise<HttpReply> => {
      const limit = query.limit ?? 20;
      const before = query.cursor === undefined ? null : Number(query.cursor);
      const found = await listPriceLists(ctx.db, { before, limit: limit + 1 });
      const prices = found.slice(0, limit);
      const nextCursor = found.length > limit ? String(prices.at(-1)?.version) : null;
      const newest = before === null ? prices[0] : undefined;
      return {
        status: 200,
        body: { prices, nextCursor },
        ...(newest === undefined ? {} : { headers: { etag: toETag(newest.version) } }),
      };
    },
  );

  ctx.http.put(
    '/orders/prices',
    {
      summary: 'Puts a new price list; earlier ones stay, and what was quoted holds',
      roles: ['ops'],
      body: NewPriceList,
      response: { 200: PriceList },
      ifMatch: true,
    },
    ({ principal, body, headers }) => putPrices(deps, { list: body, createdBy: principal.id, headers }),
  );
}

interface PricesPut {
  readonly list: NewPriceList;
  readonly createdBy: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function putPrices({ ctx, now }: RouteDeps, { list, createdBy, headers }: PricesPut): Promise<HttpReply> {
  const nowMs = now();
  const wrong = checkPriceList(list, nowMs);
  if (wrong !== undefined) return refuse('ORDER_PRICES_INVALID', wrong);
  const [newest] = await listPriceLists(ctx.db, { before: null, limit: 1 });
  const version = newest?.version ?? 0;
  const changed = refuse('ORDER_PRICES_CHANGED', 'Somebody else has put a price list: read it, then decide');
  const expected = expectedVersion(headers);
  if (expected !== undefined && expected !== version) return changed;
  const validFrom = new Date(list.validFrom ?? nowMs).toISOString();
  const put = await ctx.db.transaction(async (tx) => {
    const inserted = await insertPriceList(tx, { version: version + 1, list, validFrom, createdBy });
    // Every node keeps the lists that it prices by until it hears of this.
    if (inserted !== undefined) await tx.events.publish(pricesChanged, { version: inserted.version, validFrom });
    return inserted;
  });
  return put === undefined ? changed : { status: 200, body: put, headers: { etag: toETag(put.version) } };
}
