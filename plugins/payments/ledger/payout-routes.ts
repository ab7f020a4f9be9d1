import { Type } from 'typebox';
import type { Database, HttpReply, PluginContext, Principal } from '#plugin-api';
import { fromCursor, instantForm, toCursor, uuidForm } from '../cursor.ts';
import { refuse } from '../errors.ts';
import { postTransaction } from './ledger-store.ts';
import { createPayouts, findPayout, listPayouts, markPaid, type Payout as StoredPayout } from './payout-store.ts';
import { postPayoutPaid } from './postings.ts';

const closed = { additionalProperties: false } as const;
const id = Type.String({ maxLength: 200 });
const instant = Type.String({ format: 'date-time', maxLength: 40 });

const Payout = Type.Object(
  {
    payoutId: id,
    driverId: id,
    currency: id,
    number: Type.Integer({ minimum: 1, description: 'Of the driver' }),
    amountMinor: Type.Integer({ minimum: 1, description: "In the currency's smallest unit" }),
    status: Type.Enum(['created', 'paid']),
    createdAt: instant,
    paidAt: Type.Union([instant, Type.Null()]),
  },
  closed,
);
const PayoutPage = Type.Object(
  { payouts: Type.Array(Payout, { maxItems: 100 }), nextCursor: Type.Union([id, Type.Null()]) },
  closed,
);
const PayoutQuery = Type.Object(
  {
    driverId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
  },
  closed,
);

export const payoutQueue = 'payments.payout';

export function registerPayouts(
  ctx: PluginContext,
  settings: { readonly payoutMinMinor: number; readonly payoutCron: string },
): void {
  ctx.jobs.work(payoutQueue, async () => {
    const created = await createPayouts(ctx.db, settings.payoutMinMinor);
    ctx.metrics.increment('returnit_payments_payouts_total', { outcome: 'created' }, created);
    ctx.log.info('payouts created', { payouts: created });
  });
  ctx.jobs.schedule(payoutQueue, settings.payoutCron);

  ctx.http.get(
    '/payments/payouts',
    {
      summary: 'Payouts to drivers, newest first; a driver sees its own',
      roles: ['driver', 'ops'],
      query: PayoutQuery,
      response: { 200: PayoutPage },
    },
    ({ principal, query }) => list(ctx.db, principal, query),
  );

  ctx.http.post(
    '/payments/payouts/{payoutId}/paid',
    {
      summary: 'Notes that the bank has transferred a payout',
      roles: ['ops'],
      params: Type.Object({ payoutId: Type.String({ format: 'uuid' }) }, closed),
      response: { 200: Payout },
    },
    async ({ params }) => {
      const paid = await pay(ctx.db, params.payoutId);
      if (paid !== undefined) ctx.metrics.increment('returnit_payments_payouts_total', { outcome: 'paid' });
      // Noted before: the same answer.
      const payout = paid ?? (await findPayout(ctx.db, params.payoutId));
      if (payout === undefined) return refuse('PAYOUT_NOT_FOUND', `There is no payout '${params.payoutId}'`);
      return { status: 200, body: payout };
    },
  );
}

async function pay(db: Database, payoutId: string): Promise<StoredPayout | undefined> {
  return db.transaction(async (tx) => {
    const paid = await markPaid(tx, payoutId);
    if (paid === undefined) return undefined;
    const { amountMinor, currency } = paid;
    await postTransaction(tx, postPayoutPaid({ reference: payoutId, amountMinor, currency }), null);
    return paid;
  });
}

async function list(
  db: Database,
  principal: Principal,
  query: { readonly driverId?: string; readonly limit?: number; readonly cursor?: string },
): Promise<HttpReply> {
  const cursor = query.cursor === undefined ? [] : fromCursor(query.cursor, [instantForm, uuidForm]);
  if (cursor === undefined)
    return refuse('PAYMENT_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  const [createdAt, payoutId] = cursor;
  const before = createdAt === undefined || payoutId === undefined ? null : { createdAt, payoutId };
  const driverId = principal.role === 'driver' ? principal.id : (query.driverId ?? null);
  const limit = query.limit ?? 20;
  const rows = await listPayouts(db, { driverId, before, limit: limit + 1 });
  const payouts = rows.slice(0, limit);
  const last = payouts.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? toCursor([last.createdAt, last.payoutId]) : null;
  return { status: 200, body: { payouts, nextCursor } };
}
