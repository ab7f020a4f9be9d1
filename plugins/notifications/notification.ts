import { Type, type Static } from 'typebox';

export const Notification = Type.Object(
  {
    notificationId: Type.String({ maxLength: 64 }),
    orderId: Type.String({ maxLength: 128 }),
    template: Type.String({ maxLength: 64 }),
    title: Type.String({ maxLength: 200 }),
    body: Type.String({ maxLength: 2000 }),
    createdAt: Type.String({ format: 'date-time', maxLength: 40 }),
    sentAt: Type.Union([Type.String({ format: 'date-time', maxLength: 40 }), Type.Null()]),
  },
  { additionalProperties: false },
);
export type Notification = Static<typeof Notification>;

export const NotificationPage = Type.Object(
  {
    notifications: Type.Array(Notification, { maxItems: 100 }),
    nextCursor: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
  },
  { additionalProperties: false },
);

export interface Recipient {
  readonly role: 'customer' | 'driver';
  readonly id: string;
}

/** What the events that people are told of have in common. */
export interface EventFacts {
  readonly orderId: string;
  readonly customerId?: string | null;
  readonly driverId?: string | null;
  readonly reason?: string;
  /** Of `driver.unavailable`: nobody looks for a driver any more. */
  readonly final?: boolean;
}

/** The events that people are told of, and who is. */
export const audience = {
  'order.created': 'customer',
  'order.scheduled': 'customer',
  'order.assigned': 'customer',
  'order.started': 'customer',
  'order.picked_up': 'customer',
  'order.delivered': 'customer',
  'order.completed': 'customer',
  'order.cancelled': 'customer',
  'payment.declined': 'customer',
  'payment.failed': 'customer',
  'driver.assigned': 'driver',
  'driver.unavailable': 'customer',
} as const satisfies Record<string, Recipient['role']>;
export type NotifiedEvent = keyof typeof audience;

/** Undefined when the event names nobody to tell, such as an order without a customer. */
export function recipientOf(event: NotifiedEvent, facts: EventFacts): Recipient | undefined {
  const role = audience[event];
  const id = role === 'driver' ? facts.driverId : facts.customerId;
  return id === undefined || id === null ? undefined : { role, id };
}

/** Where a page ended: the sequence in which notifications were made. */
export function toCursor(sequence: string): string {
  return Buffer.from(`1:${sequence}`).toString('base64url');
}

/** The sequence in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string): string | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  return /^1:\d{1,18}$/.test(text) ? text.slice(2) : undefined;
}
