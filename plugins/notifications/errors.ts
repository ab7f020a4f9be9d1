import type { Problem } from '#plugin-api';

/** Every code that this plugin answers. */
export const notificationErrors = {
  NOTIFICATION_CURSOR_INVALID: { status: 400, title: 'Cursor is not usable' },
  NOTIFICATION_TEMPLATE_NOT_FOUND: { status: 404, title: 'Template not found' },
  NOTIFICATION_LOCALE_INVALID: { status: 422, title: 'Locale is not usable' },
  PREFERENCES_INVALID: { status: 422, title: 'Preferences are not usable' },
  PREFERENCES_CHANGED: { status: 412, title: 'Preferences have changed' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type NotificationErrorCode = keyof typeof notificationErrors;

/** A refusal as problem details. */
export function refuse(code: NotificationErrorCode, detail: string): { readonly problem: Problem } {
  return { problem: { ...notificationErrors[code], code, detail } };
}
