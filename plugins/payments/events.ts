import type { PluginContext, Transaction } from '#plugin-api';
import { authorisation } from './payment.ts';
import { cancelPayment, insertPayment } from './store.ts';

/** The part of `order.created` that matters here. */
export interface OrderCreated {
  readonly orderId: string;
  readonly customerId: string;
  readonly partnerId: string | null;
  readonly payment: { readonly amountMinor: number; readonly currency: string; readonly method: string };
}

/** Of a void: nobody waits for it but the customer's bank. */
const retryLimit = 14;

export function registerEvents(ctx: PluginContext): void {
  ctx.events.on<OrderCreated>('order.created', (event, tx) => openPayment(tx, event.data));
  ctx.events.on<{ readonly orderId: string }>('order.cancelled', (event, tx) => giveUp(tx, event.data.orderId));
}

/** The payment is written before the provider is asked, and the provider is asked by a job: outside any transaction. */
export async function openPayment(tx: Transaction, order: OrderCreated): Promise<void> {
  const { orderId, customerId, partnerId, payment } = order;
  const isNew = await insertPayment(tx, { orderId, customerId, partnerId, status: 'pending', ...payment });
  if (isNew) await tx.jobs.send('payments.authorise', { orderId }, { retryLimit: authorisation.retryLimit });
}

export async function giveUp(tx: Transaction, orderId: string): Promise<void> {
  const status = await cancelPayment(tx, orderId);
  if (status === 'voiding') await tx.jobs.send('payments.void', { orderId }, { retryLimit });
  // Events may overtake each other: this row makes a late `order.created` open nothing.
  if (status === undefined) {
    const nobody = { customerId: null, partnerId: null, amountMinor: 0, currency: '', method: '' };
    await insertPayment(tx, { orderId, status: 'cancelled', ...nobody });
  }
}
