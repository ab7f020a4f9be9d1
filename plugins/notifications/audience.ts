/** What people are told of: by which event, who is, and what kind of message it is. */
export const roles = ['customer', 'driver', 'partner'] as const;
export type Role = (typeof roles)[number];

/** Kinds of messages, for which people choose channels. */
export const kinds = ['booking', 'arrival', 'parcels', 'payment', 'work', 'account'] as const;
export type Kind = (typeof kinds)[number];

export interface Audience {
  /** @default the event of the template's name */
  readonly on?: string;
  readonly role: Role;
  readonly kind: Kind;
  /** It says how things are, and is not worth telling once they are otherwise. What is not, is told in any case. */
  readonly passing?: true;
}

export const audience = {
  'order.created': { role: 'customer', kind: 'booking' },
  'order.scheduled': { role: 'customer', kind: 'booking', passing: true },
  'order.assigned': { role: 'customer', kind: 'booking', passing: true },
  'order.unassigned': { role: 'customer', kind: 'booking', passing: true },
  'order.started': { role: 'customer', kind: 'arrival', passing: true },
  'order.arrived': { role: 'customer', kind: 'arrival', passing: true },
  'order.picked_up': { role: 'customer', kind: 'parcels', passing: true },
  'order.pickup_failed': { role: 'customer', kind: 'parcels', passing: true },
  'order.delivered': { role: 'customer', kind: 'parcels' },
  'order.completed': { role: 'customer', kind: 'booking' },
  'order.cancelled': { role: 'customer', kind: 'booking' },
  'payment.declined': { role: 'customer', kind: 'payment' },
  'payment.failed': { role: 'customer', kind: 'payment' },
  'payment.captured': { role: 'customer', kind: 'payment' },
  'payment.refunded': { role: 'customer', kind: 'payment' },
  'driver.unavailable': { role: 'customer', kind: 'booking', passing: true },
  'driver.assigned': { role: 'driver', kind: 'work', passing: true },
  'driver.unassigned': { role: 'driver', kind: 'work', passing: true },
  'driver.order_cancelled': { role: 'driver', kind: 'work', on: 'order.cancelled' },
  'driver.offered': { role: 'driver', kind: 'work', passing: true },
  'driver.approved': { role: 'driver', kind: 'account' },
  'driver.suspended': { role: 'driver', kind: 'account' },
  'driver.document_expiring': { role: 'driver', kind: 'account' },
  'webhook.endpoint_disabled': { role: 'partner', kind: 'account' },
} as const satisfies Readonly<Record<string, Audience>>;

export type TemplateName = keyof typeof audience;

export const templateNames = Object.keys(audience) as readonly TemplateName[];

export const isTemplate = (name: string): name is TemplateName => Object.hasOwn(audience, name);

export const audienceOf = (template: TemplateName): Audience => audience[template];

/** What an event has people told: one template for each who is. */
export const templatesByEvent: ReadonlyMap<string, readonly TemplateName[]> = Map.groupBy(
  templateNames,
  (name) => audienceOf(name).on ?? name,
);
