import type { Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const driverErrors = {
  DRIVER_NOT_FOUND: { status: 404, title: 'Driver not found' },
  DRIVER_EXISTS: { status: 409, title: 'Driver exists already' },
  DRIVER_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
  DEVICE_NOT_FOUND: { status: 404, title: 'Device not found' },
  DEVICE_LIMIT_REACHED: { status: 409, title: 'Too many devices' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type DriverErrorCode = keyof typeof driverErrors;

/** A refusal as problem details. */
export function refuse(code: DriverErrorCode, detail: string): { readonly problem: Problem } {
  return { problem: { ...driverErrors[code], code, detail } };
}
