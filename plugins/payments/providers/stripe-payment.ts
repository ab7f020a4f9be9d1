/** What Stripe's objects say in the plugin's own words. */
import type Stripe from 'stripe';
import type { ProviderDispute, ProviderPayment, ProviderRefund } from './provider.ts';

/** Marks in Stripe what is ours: an account may serve other systems as well. */
export const platform = 'returnit';

export interface Around {
  readonly refunds?: readonly Stripe.Refund[];
  readonly disputes?: readonly Stripe.Dispute[];
}

export function toPayment(intent: Stripe.PaymentIntent, { refunds = [], disputes = [] }: Around = {}): ProviderPayment {
  const charge = intent.latest_charge;
  return {
    reference: intent.id,
    operationId: intent.metadata['platform'] === platform ? (intent.metadata['operation'] ?? null) : null,
    state: stateOf(intent),
    amountMinor: intent.amount,
    capturedMinor: intent.amount_received,
    refundedMinor: typeof charge === 'object' && charge !== null ? charge.amount_refunded : null,
    currency: intent.currency.toUpperCase(),
    reason: reasonOf(intent),
    refunds: refunds.map(toRefund),
    disputes: disputes.flatMap(toDispute),
  };
}

function stateOf({ status, last_payment_error: error }: Stripe.PaymentIntent): ProviderPayment['state'] {
  if (status === 'requires_capture') return 'authorised';
  if (status === 'succeeded') return 'captured';
  if (status === 'canceled') return 'voided';
  // Before the card was asked it says the same.
  return status === 'requires_payment_method' && error !== null ? 'declined' : 'unknown';
}

function reasonOf({ last_payment_error: error, cancellation_reason: end }: Stripe.PaymentIntent): string | null {
  return error?.decline_code ?? error?.code ?? end ?? null;
}

function toRefund({ id, metadata, amount, status }: Stripe.Refund): ProviderRefund {
  return {
    reference: id,
    operationId: metadata?.['operation'] ?? null,
    amountMinor: amount,
    state: status === 'failed' || status === 'canceled' ? 'failed' : 'succeeded',
  };
}

/** Inquiries (`warning_…`) move no money, and need no more than an answer in Stripe's dashboard. */
function toDispute({ id, status, amount, reason }: Stripe.Dispute): ProviderDispute[] {
  if (status.startsWith('warning_') || status === 'prevented') return [];
  const state = status === 'won' ? 'won' : status === 'lost' ? 'lost' : 'opened';
  return [{ reference: id, state, amountMinor: amount, reason }];
}
