import { Type } from 'typebox';
import type { HttpReply, PluginContext, Principal } from '#plugin-api';
import { refuse } from './errors.ts';
import { NewRefund, PaymentDetail, PaymentList, ShownOperation } from './payment.ts';
import { changePayment } from './progress.ts';
import { requestRefund } from './refunds.ts';
import { listDisputes } from './store/disputes.ts';
import { findPayment, listPayments, showOperations, type OwnedPayment } from './store/payment-views.ts';
import { tryAgain, type Policy } from './wishes.ts';

const closed = { additionalProperties: false } as const;
const ListQuery = Type.Object({ orderId: Type.String({ format: 'uuid' }) }, closed);
const PaymentParams = Type.Object({ paymentId: Type.String({ format: 'uuid' }) }, closed);

export function registerRoutes(ctx: PluginContext, policy: Policy): void {
  ctx.http.get(
    '/payments',
    {
      summary: 'The payments of an order',
      roles: ['customer', 'partner', 'ops'],
      query: ListQuery,
      response: { 200: PaymentList },
    },
    async ({ principal, query }) => {
      const owned = await listPayments(ctx.db, query.orderId);
      const visible = owned.filter((payment) => maySee(payment, principal));
      if (visible.length === 0) {
        return refuse('PAYMENT_NOT_FOUND', `No payment of an order '${query.orderId}' of yours exists`);
      }
      const payments = visible.map(({ customerId: _customer, partnerId: _partner, ...payment }) => payment);
      return { status: 200, body: { payments } };
    },
  );

  ctx.http.get(
    '/payments/{paymentId}',
    {
      summary: 'A payment with what the provider was asked, and disputes',
      roles: ['ops'],
      params: PaymentParams,
      response: { 200: PaymentDetail },
    },
    ({ params }) => show(ctx, params.paymentId),
  );

  ctx.http.post(
    '/payments/{paymentId}/refunds',
    {
      summary: 'Gives a part of what was captured back, or all of it',
      roles: ['ops'],
      params: PaymentParams,
      body: NewRefund,
      response: { 200: ShownOperation, 201: ShownOperation },
      ifMatch: true,
    },
    async ({ params, body, principal, headers }) => {
      const version = versionOf(headers['if-match']);
      const idempotencyKey = headers['idempotency-key'];
      const { paymentId } = params;
      const outcome = await requestRefund(ctx.db, { paymentId, refund: body, principal, idempotencyKey, version });
      if (outcome.kind === 'refused') return refuse(outcome.code, outcome.detail);
      return { status: outcome.kind === 'accepted' ? 201 : 200, body: outcome.operation };
    },
  );

  ctx.http.post(
    '/payments/{paymentId}/retry',
    {
      summary: 'Asks once more for the money of a delivered order, after the provider had refused',
      roles: ['ops'],
      params: PaymentParams,
      response: { 200: PaymentDetail },
    },
    ({ params }) => retry(ctx, policy, params.paymentId),
  );
}

function maySee(payment: OwnedPayment, principal: Principal): boolean {
  if (principal.role === 'ops') return true;
  if (principal.role === 'customer') return payment.customerId === principal.id;
  return principal.role === 'partner' && payment.partnerId === principal.id;
}

/** `"7"`, or null for any. What is no version of ours matches none. */
function versionOf(ifMatch: string | undefined): number | null {
  if (ifMatch === undefined || ifMatch === '*') return null;
  return Number(/^"(\d{1,9})"$/.exec(ifMatch)?.[1] ?? -1);
}

async function show(ctx: PluginContext, paymentId: string): Promise<HttpReply> {
  const payment = await findPayment(ctx.db, paymentId);
  if (payment === undefined) return refuse('PAYMENT_NOT_FOUND', `There is no payment '${paymentId}'`);
  const [operations, disputes] = await Promise.all([
    showOperations(ctx.db, paymentId),
    listDisputes(ctx.db, paymentId),
  ]);
  return {
    status: 200,
    body: { ...payment, operations, disputes },
    headers: { etag: `"${payment.version}"` },
  };
}

async function retry(ctx: PluginContext, policy: Policy, paymentId: string): Promise<HttpReply> {
  let isTried = false;
  const draft = await ctx.db.transaction((tx) =>
    changePayment(tx, { key: { paymentId }, policy }, (change) => {
      isTried = tryAgain(change);
    }),
  );
  if (draft !== undefined && !isTried) {
    return refuse('PAYMENT_RETRY_REFUSED', 'Cannot try again: only what is capture_failed can be');
  }
  return show(ctx, paymentId);
}
