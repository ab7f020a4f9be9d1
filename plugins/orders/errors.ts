import type { Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const orderErrors = {
  ORDER_NOT_FOUND: { status: 404, title: 'Order not found' },
  ORDER_STATE_CONFLICT: { status: 409, title: 'Order is in another state' },
  ORDER_CHANGED: { status: 412, title: 'Order has changed' },
  ORDER_CHANGED_MEANWHILE: { status: 409, title: 'Order was changed by another request' },
  ORDER_REFERENCE_CONFLICT: { status: 409, title: 'Reference is used by another order' },
  ORDER_KEY_CONFLICT: { status: 409, title: 'Idempotency key is used by another order' },
  ORDER_ATTEMPTS_EXHAUSTED: { status: 409, title: 'Pickup was tried as often as it is' },
  ORDER_PROOF_MISSING: { status: 409, title: 'Required proof is missing' },
  ORDER_WINDOW_FULL: { status: 409, title: 'Pickup window is full' },
  ORDER_QUOTE_EXPIRED: { status: 409, title: 'Quote has expired' },
  ORDER_QUOTE_MISMATCH: { status: 422, title: 'Booking is not what was quoted' },
  ORDER_QUOTE_UNKNOWN: { status: 422, title: 'Quote is not known' },
  ORDER_ADDRESS_INVALID: { status: 422, title: 'Address is not usable' },
  ORDER_WINDOW_INVALID: { status: 422, title: 'Pickup window is not usable' },
  ORDER_CUSTOMER_INVALID: { status: 422, title: 'Customer is not usable' },
  ORDER_PARCELS_INVALID: { status: 422, title: 'Parcels are not usable' },
  ORDER_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
  ORDER_RANGE_INVALID: { status: 422, title: 'Range of time is not usable' },
  ORDER_WINDOW_CHANGED: { status: 412, title: 'Capacity of the window has changed' },
  ORDER_PRICES_INVALID: { status: 422, title: 'Price list is not usable' },
  ORDER_PRICES_CHANGED: { status: 412, title: 'Price list has changed' },
  ORDER_REQUIREMENT_CHANGED: { status: 412, title: 'Required proof has changed' },
  ORDER_DOCUMENT_NOT_FOUND: { status: 404, title: 'Document not found' },
  ORDER_DOCUMENT_INVALID: { status: 422, title: 'Document is not usable' },
  ORDER_DOCUMENT_TYPE_MISMATCH: { status: 415, title: 'Document is not what it is said to be' },
  ORDER_DOCUMENTS_FULL: { status: 409, title: 'Order has as many documents as it may' },
  ORDER_PROOF_INVALID: { status: 422, title: 'Proof is not usable' },
  ORDER_PARTNER_INVALID: { status: 422, title: 'Partner is not usable' },
  ORDER_LINE_FAILED: { status: 500, title: 'Line could not be booked' },
  ORDER_BULK_BUSY: { status: 503, title: 'Too many orders are being booked at once' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type OrderErrorCode = keyof typeof orderErrors;

/** Why something is not done. */
export interface Refusal {
  readonly code: OrderErrorCode;
  readonly detail: string;
  /** Members of the problem beside code and detail. */
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** A refusal as problem details. */
export function refuse(
  code: OrderErrorCode,
  detail: string,
  extensions: Readonly<Record<string, unknown>> = {},
): { readonly problem: Problem } {
  return { problem: { ...extensions, ...orderErrors[code], code, detail } };
}
