import { Type, type Static } from 'typebox';
import type { Authorisation } from './provider.ts';

/**
 * pending -> authorised -> voiding -> voided, or pending -> declined.
 * cancelled: the order was cancelled before the provider was asked. cancelling: nobody wants the answer any more, because
 * the order was cancelled meanwhile or has waited long enough, so that it decides between cancelled (declined) and voiding
 * (authorised).
 */
export const paymentStatuses = [
  'pending',
  'authorised',
  'declined',
  'cancelling',
  'cancelled',
  'voiding',
  'voided',
] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

const instant = Type.String({ format: 'date-time', maxLength: 40 });

export const Payment = Type.Object(
  {
    paymentId: Type.String({ maxLength: 64 }),
    orderId: Type.String({ maxLength: 128 }),
    status: Type.Enum([...paymentStatuses]),
    amountMinor: Type.Integer({ minimum: 0 }),
    currency: Type.String({ maxLength: 3 }),
    declineReason: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
    createdAt: instant,
    updatedAt: instant,
  },
  { additionalProperties: false },
);
export type Payment = Static<typeof Payment>;

export const PaymentList = Type.Object(
  { payments: Type.Array(Payment, { maxItems: 10 }) },
  { additionalProperties: false },
);

/**
 * The provider's key belongs to the operation on the order, not to a row or an attempt: whatever is delivered,
 * restarted or retried, the provider sees one operation.
 */
export function operationKey(orderId: string, operation: 'authorise' | 'void'): string {
  return `order:${orderId}:${operation}`;
}

/**
 * With back-off from 1 s doubling to an hour, the attempts that an order waits for outlast an outage of the provider of
 * about 3 hours. The further ones go on for days: only the provider can tell whether it holds the money.
 */
export const authorisation = { attemptsWaitedFor: 15, retryLimit: 100 } as const;

export type Settlement =
  | { readonly to: 'authorised'; readonly reference: string }
  | { readonly to: 'voiding'; readonly reference: string }
  | { readonly to: 'declined'; readonly reason: string }
  | { readonly to: 'cancelled'; readonly reason: string };

/** What the provider's answer makes of a payment that was waiting for it. */
export function settle(status: 'pending' | 'cancelling', answer: Authorisation): Settlement {
  if (answer.kind === 'authorised') {
    return { to: status === 'pending' ? 'authorised' : 'voiding', reference: answer.reference };
  }
  return { to: status === 'pending' ? 'declined' : 'cancelled', reason: answer.reason };
}
