import type { Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const webhookErrors = {
  WEBHOOK_ENDPOINT_NOT_FOUND: { status: 404, title: 'Webhook endpoint not found' },
  WEBHOOK_ENDPOINT_CHANGED: { status: 412, title: 'Webhook endpoint has changed' },
  WEBHOOK_ENDPOINT_DISABLED: { status: 409, title: 'Webhook endpoint is disabled' },
  WEBHOOK_ENDPOINTS_TOO_MANY: { status: 409, title: 'Too many webhook endpoints' },
  WEBHOOK_SECRETS_TOO_MANY: { status: 409, title: 'Too many secrets of a webhook endpoint' },
  WEBHOOK_URL_INVALID: { status: 422, title: 'Webhook URL is not usable' },
  WEBHOOK_URL_NOT_ALLOWED: { status: 422, title: 'Webhook URL may not be called' },
  WEBHOOK_PARTNER_REQUIRED: { status: 422, title: 'Partner is missing' },
  WEBHOOK_KEY_MISSING: { status: 503, title: 'Webhooks are not set up' },
  WEBHOOK_DELIVERY_NOT_FOUND: { status: 404, title: 'Webhook delivery not found' },
  WEBHOOK_BACKLOG_FULL: { status: 409, title: 'Too many deliveries wait' },
  WEBHOOK_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type WebhookErrorCode = keyof typeof webhookErrors;

export interface Refusal {
  readonly problem: Problem;
}

/** A refusal as problem details. */
export function refuse(code: WebhookErrorCode, detail: string): Refusal {
  return { problem: { ...webhookErrors[code], code, detail } };
}
