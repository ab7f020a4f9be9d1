import type { Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const paymentErrors = {
  PAYMENT_NOT_FOUND: { status: 404, title: 'Payment not found' },
  PAYMENT_CHANGED: { status: 412, title: 'Payment was changed meanwhile' },
  PAYMENT_NOT_CAPTURED: { status: 409, title: 'Payment is not captured' },
  PAYMENT_REFUND_TOO_LARGE: { status: 409, title: 'Refund is above what was captured' },
  PAYMENT_REFUND_CONFLICT: { status: 409, title: 'Refund was asked for with other content' },
  PAYMENT_RETRY_REFUSED: { status: 409, title: 'Payment cannot be tried again' },
  PAYMENT_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
  PAYMENT_PROVIDER_UNKNOWN: { status: 404, title: 'Payment provider is not set up' },
  PAYMENT_WEBHOOK_UNSIGNED: { status: 400, title: 'Webhook is not signed' },
  PAYMENT_WEBHOOK_MALFORMED: { status: 400, title: 'Webhook is no event' },
  PAYMENT_DIFFERENCE_NOT_FOUND: { status: 404, title: 'Difference not found' },
  PAYOUT_NOT_FOUND: { status: 404, title: 'Payout not found' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type PaymentErrorCode = keyof typeof paymentErrors;

/** A refusal as problem details. */
export function refuse(code: PaymentErrorCode, detail: string): { readonly problem: Problem } {
  return { problem: { ...paymentErrors[code], code, detail } };
}
