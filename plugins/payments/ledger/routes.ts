import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { fromCursor, serialForm, toCursor } from '../cursor.ts';
import { refuse } from '../errors.ts';
import { listBalances, listEntries, sumDriverBalance } from './ledger-store.ts';
import { accounts } from './postings.ts';

const closed = { additionalProperties: false } as const;
const id = Type.String({ maxLength: 200 });
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const signed = Type.Integer({ description: "In the currency's smallest unit: a debit is above zero, a credit below" });
const Account = Type.Enum([...accounts]);

const LedgerQuery = Type.Object(
  {
    account: Type.Optional(Account),
    owner: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    orderId: Type.Optional(Type.String({ format: 'uuid' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
  },
  closed,
);
const LedgerPage = Type.Object(
  {
    entries: Type.Array(
      Type.Object(
        {
          entryId: id,
          transactionId: id,
          kind: id,
          orderId: Type.Union([id, Type.Null()]),
          account: Account,
          owner: id,
          amountMinor: signed,
          currency: id,
          postedAt: instant,
        },
        closed,
      ),
      { maxItems: 100 },
    ),
    nextCursor: Type.Union([id, Type.Null()]),
  },
  closed,
);
const Balances = Type.Object(
  {
    balances: Type.Array(Type.Object({ account: Account, owner: id, currency: id, amountMinor: signed }, closed), {
      maxItems: 1000,
    }),
  },
  closed,
);
const DriverBalance = Type.Object(
  {
    driverId: id,
    balances: Type.Array(Type.Object({ currency: id, amountMinor: signed }, closed), { maxItems: 100 }),
  },
  closed,
);

export function registerLedgerRoutes(ctx: PluginContext): void {
  ctx.http.get(
    '/payments/ledger',
    {
      summary: 'Entries of the ledger, newest first',
      roles: ['ops'],
      query: LedgerQuery,
      response: { 200: LedgerPage },
    },
    ({ query }) => list(ctx, query),
  );

  ctx.http.get(
    '/payments/ledger/balances',
    { summary: "The accounts' balances; together they are zero", roles: ['ops'], response: { 200: Balances } },
    async () => ({ status: 200, body: { balances: await listBalances(ctx.db) } }),
  );

  ctx.http.get(
    '/payments/balance',
    {
      summary: 'What a driver has earned and not been paid out',
      roles: ['driver', 'ops'],
      query: Type.Object({ driverId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })) }, closed),
      response: { 200: DriverBalance },
    },
    async ({ principal, query }) => {
      // A driver sees its own, whatever it asks for.
      const driverId = principal.role === 'driver' ? principal.id : (query.driverId ?? '');
      return { status: 200, body: { driverId, balances: await sumDriverBalance(ctx.db, driverId) } };
    },
  );
}

interface Query {
  readonly account?: string;
  readonly owner?: string;
  readonly orderId?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

async function list(ctx: PluginContext, query: Query): Promise<HttpReply> {
  const cursor = query.cursor === undefined ? [] : fromCursor(query.cursor, [serialForm]);
  if (cursor === undefined)
    return refuse('PAYMENT_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  const limit = query.limit ?? 20;
  const rows = await listEntries(ctx.db, {
    account: query.account ?? null,
    owner: query.owner ?? null,
    orderId: query.orderId ?? null,
    before: cursor[0] ?? null,
    // One more than asked for tells whether there is a next page.
    limit: limit + 1,
  });
  const entries = rows.slice(0, limit);
  const last = entries.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? toCursor([last.entryId]) : null;
  return { status: 200, body: { entries, nextCursor } };
}
