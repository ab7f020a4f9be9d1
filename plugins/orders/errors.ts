import type { Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const orderErrors = {
  ORDER_NOT_FOUND: { status: 404, title: 'Order not found' },
  ORDER_STATE_CONFLICT: { status: 409, title: 'Order is in another state' },
  ORDER_CHANGED_MEANWHILE: { status: 409, title: 'Order was changed by another request' },
  ORDER_REFERENCE_CONFLICT: { status: 409, title: 'Reference is used by another order' },
  ORDER_KEY_CONFLICT: { status: 409, title: 'Idempotency key is used by another order' },
  ORDER_ADDRESS_INVALID: { status: 422, title: 'Address is not usable' },
  ORDER_WINDOW_INVALID: { status: 422, title: 'Pickup window is not usable' },
  ORDER_CUSTOMER_INVALID: { status: 422, title: 'Customer is not usable' },
  ORDER_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type OrderErrorCode = keyof typeof orderErrors;

/** A refusal as problem details. */
export function refuse(
  code: OrderErrorCode,
  detail: string,
  extensions: Readonly<Record<string, unknown>> = {},
): { readonly problem: Problem } {
  return { problem: { ...extensions, ...orderErrors[code], code, detail } };
}
