import { Type, type Static } from 'typebox';

const Time = Type.String({ format: 'date-time', maxLength: 40 });
const orNull = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()]);
const Name = Type.String({ maxLength: 64 });

const common = {
  notificationId: Name,
  orderId: orNull(Type.String({ maxLength: 200 })),
  template: Name,
  channel: Name,
  /** pending, held (quiet hours), sending, sent, failed, dropped */
  state: Name,
  createdAt: Time,
  sentAt: orNull(Time),
};

/** As whoever was told sees it. */
export const Notification = Type.Object(
  { ...common, title: Type.String({ maxLength: 200 }), body: Type.String({ maxLength: 2000 }) },
  { additionalProperties: false },
);

/** As ops sees it: how it went, and not what it says. */
export const DeliveredNotification = Type.Object(
  {
    ...common,
    recipientRole: Name,
    recipientId: Type.String({ maxLength: 200 }),
    eventId: Type.String({ maxLength: 200 }),
    eventAt: Time,
    locale: Name,
    attempts: Type.Integer({ minimum: 0 }),
    lastError: orNull(Type.String({ maxLength: 300 })),
    dropReason: orNull(Name),
    dueAt: orNull(Time),
    fallbackOf: orNull(Name),
  },
  { additionalProperties: false },
);

export const NotificationPage = Type.Object(
  {
    notifications: Type.Array(Type.Union([Notification, DeliveredNotification]), { maxItems: 100 }),
    nextCursor: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
  },
  { additionalProperties: false },
);
export type NotificationPage = Static<typeof NotificationPage>;

/** Where a page ended: the sequence in which notifications were made. */
export function toCursor(sequence: string): string {
  return Buffer.from(`1:${sequence}`).toString('base64url');
}

/** The sequence in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string): string | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  return /^1:\d{1,18}$/.test(text) ? text.slice(2) : undefined;
}
