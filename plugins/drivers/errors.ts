import type { HttpReply, Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const driverErrors = {
  DRIVER_NOT_FOUND: { status: 404, title: 'Driver not found' },
  DRIVER_EXISTS: { status: 409, title: 'Driver exists already' },
  DRIVER_ID_RESERVED: { status: 409, title: 'Driver id is reserved' },
  DRIVER_CHANGED: { status: 412, title: 'Driver was changed' },
  DRIVER_FIELD_FORBIDDEN: { status: 403, title: 'Only ops may say this of a driver' },
  DRIVER_NOT_APPROVED: { status: 409, title: 'Driver is not approved' },
  DRIVER_NOT_AVAILABLE: { status: 409, title: 'Driver is not available' },
  DRIVER_FULL: { status: 409, title: 'Driver has no room' },
  DRIVER_DOCUMENTS_LACKING: { status: 409, title: 'Required documents are lacking' },
  DRIVER_DOCUMENTS_CLOSED: { status: 409, title: 'Only ops may change the documents now' },
  DRIVER_DOCUMENT_CHANGED: { status: 412, title: 'Document was changed' },
  DRIVER_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
  SHIFT_NOT_STARTED: { status: 409, title: 'Driver is not on shift' },
  DEVICE_NOT_FOUND: { status: 404, title: 'Device not found' },
  DEVICE_LIMIT_REACHED: { status: 409, title: 'Too many devices' },
  OFFER_NOT_FOUND: { status: 404, title: 'Offer not found' },
  OFFER_TAKEN: { status: 409, title: 'Another driver has the order' },
  OFFER_EXPIRED: { status: 409, title: 'Offer has expired' },
  OFFER_WITHDRAWN: { status: 409, title: 'Offer was withdrawn' },
  OFFER_DECLINED: { status: 409, title: 'Offer was declined' },
  OFFER_ACCEPTED: { status: 409, title: 'Offer was accepted' },
  ASSIGNMENT_NOT_FOUND: { status: 404, title: 'Assignment not found' },
  ASSIGNMENT_CHANGED: { status: 412, title: 'Assignment was changed' },
  ASSIGNMENT_STATE: { status: 409, title: 'Assignment does not allow this now' },
  ASSIGNMENT_PICKED_UP: { status: 409, title: 'Driver has the parcels' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type DriverErrorCode = keyof typeof driverErrors;

/** A refusal as problem details, with what else a program may want to know of it. */
export function refuse(
  code: DriverErrorCode,
  detail: string,
  extensions: Readonly<Record<string, unknown>> = {},
): { readonly problem: Problem } {
  return { problem: { ...driverErrors[code], code, detail, ...extensions } };
}

export const driverNotFound = (driverId: string): HttpReply =>
  refuse('DRIVER_NOT_FOUND', `No driver '${driverId}' exists that you may see`);

export const cursorInvalid = (): HttpReply =>
  refuse('DRIVER_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
