import { Type } from 'typebox';
import type { PluginContext, Principal } from '#plugin-api';
import { refuse } from './errors.ts';
import { PaymentList } from './payment.ts';
import { listPayments, type OwnedPayment } from './store.ts';

const ListQuery = Type.Object({ orderId: Type.String({ format: 'uuid' }) }, { additionalProperties: false });

export function registerRoutes(ctx: PluginContext): void {
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
}

function maySee(payment: OwnedPayment, principal: Principal): boolean {
  if (principal.role === 'ops') return true;
  if (principal.role === 'customer') return payment.customerId === principal.id;
  return principal.role === 'partner' && payment.partnerId === principal.id;
}
