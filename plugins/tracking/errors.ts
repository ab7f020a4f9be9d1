import type { Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const trackingErrors = {
  POSITION_NOT_FOUND: { status: 404, title: 'Position not found' },
  SHARE_NOT_FOUND: { status: 404, title: 'Share link not found' },
  SHARES_TOO_MANY: { status: 409, title: 'Too many share links' },
  ORDER_OVER: { status: 409, title: 'Order is over' },
  HISTORY_RANGE_INVALID: { status: 422, title: 'Range is not usable' },
  FIX_REJECTED: { status: 400, title: 'Position is not usable' },
  DEVICE_FOREIGN: { status: 403, title: 'Device may not speak for this driver' },
  DEVICE_OVER_BUDGET: { status: 429, title: 'Device sends too much' },
  HISTORY_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
  PRESENCE_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
  DEAD_LETTER_NOT_FOUND: { status: 404, title: 'Dead letter not found' },
  HISTORY_FORBIDDEN: { status: 403, title: 'History of another driver' },
  HISTORY_BUSY: { status: 503, title: 'Too many histories at once' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type TrackingErrorCode = keyof typeof trackingErrors;

export interface Refusal {
  readonly problem: Problem;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RefuseOptions {
  /** When it may be tried again. */
  readonly retryAfterSeconds?: number;
}

/** A refusal as problem details. */
export function refuse(code: TrackingErrorCode, detail: string, { retryAfterSeconds }: RefuseOptions = {}): Refusal {
  return {
    problem: { ...trackingErrors[code], code, detail },
    ...(retryAfterSeconds === undefined ? {} : { headers: { 'retry-after': String(retryAfterSeconds) } }),
  };
}
