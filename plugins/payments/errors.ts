import type { Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const paymentErrors = {
  PAYMENT_NOT_FOUND: { status: 404, title: 'Payment not found' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type PaymentErrorCode = keyof typeof paymentErrors;

/** A refusal as problem details. */
export function refuse(code: PaymentErrorCode, detail: string): { readonly problem: Problem } {
  return { problem: { ...paymentErrors[code], code, detail } };
}
