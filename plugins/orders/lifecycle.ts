/**
 * created -> scheduled (paid) -> assigned -> on_the_way -> picked_up -> delivered -> completed; cancelled until the
 * parcels are in the driver's hands. `transition` is the only place that knows this.
 */
export const orderStatuses = [
  'created',
  'scheduled',
  'assigned',
  'on_the_way',
  'picked_up',
  'delivered',
  'completed',
  'cancelled',
] as const;
export type OrderStatus = (typeof orderStatuses)[number];

export const orderActions = ['schedule', 'assign', 'start', 'pick_up', 'deliver', 'complete', 'cancel'] as const;
export type OrderAction = (typeof orderActions)[number];

export const actorKinds = ['customer', 'partner', 'driver', 'ops', 'system'] as const;
export type ActorKind = (typeof actorKinds)[number];

export interface Actor {
  readonly kind: ActorKind;
  /** A principal's id; of `system` the plugin whose event it was. */
  readonly id: string;
}

/** What a decision needs to know of an order. */
export interface OrderState {
  readonly status: OrderStatus;
  readonly customerId: string;
  readonly partnerId: string | null;
  readonly driverId: string | null;
}

interface Rule {
  readonly from: Partial<Record<OrderStatus, readonly ActorKind[]>>;
  readonly to: OrderStatus;
  readonly event: string;
}

const driverOrOps: readonly ActorKind[] = ['driver', 'ops'];
const everybodyButDrivers: readonly ActorKind[] = ['customer', 'partner', 'ops', 'system'];

const rules: Readonly<Record<OrderAction, Rule>> = {
  schedule: { from: { created: ['system'] }, to: 'scheduled', event: 'order.scheduled' },
  assign: { from: { scheduled: ['system'] }, to: 'assigned', event: 'order.assigned' },
  start: { from: { assigned: driverOrOps }, to: 'on_the_way', event: 'order.started' },
  pick_up: { from: { on_the_way: driverOrOps }, to: 'picked_up', event: 'order.picked_up' },
  deliver: { from: { picked_up: driverOrOps }, to: 'delivered', event: 'order.delivered' },
  complete: { from: { delivered: driverOrOps }, to: 'completed', event: 'order.completed' },
  cancel: {
    from: {
      created: everybodyButDrivers,
      scheduled: everybodyButDrivers,
      assigned: everybodyButDrivers,
      // A driver who is on the way costs money: from here on only ops cancels.
      on_the_way: ['ops'],
    },
    to: 'cancelled',
    event: 'order.cancelled',
  },
};

export type Transition =
  | { readonly kind: 'moved'; readonly from: OrderStatus; readonly to: OrderStatus; readonly event: string }
  /** The order is already where the action leads: a repeated request, or an event delivered late. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'hidden' }
  | { readonly kind: 'refused'; readonly detail: string };

/** Decides what an action of an actor does to an order. */
export function transition(order: OrderState, action: OrderAction, actor: Actor): Transition {
  if (!maySee(order, actor)) return { kind: 'hidden' };
  const rule = rules[action];
  const everAllowed = Object.values(rule.from).some((kinds) => kinds.includes(actor.kind));
  if (order.status === rule.to && everAllowed) return { kind: 'unchanged' };
  const allowed = rule.from[order.status] ?? [];
  if (!allowed.includes(actor.kind)) return { kind: 'refused', detail: refusal(order.status, action, actor.kind) };
  return { kind: 'moved', from: order.status, to: rule.to, event: rule.event };
}

function refusal(status: OrderStatus, action: OrderAction, kind: ActorKind): string {
  const from = Object.entries(rules[action].from)
    .filter(([, kinds]) => kinds.includes(kind))
    .map(([name]) => `'${name}'`);
  const allowed = from.length === 0 ? 'never' : `when it is ${from.join(' or ')}`;
  return `Cannot ${action} the order: it is '${status}'; ${kind} may ${allowed}`;
}

/** Others are told that the order does not exist, so that ids cannot be tried out. */
export function maySee(order: OrderState, actor: Actor): boolean {
  if (actor.kind === 'ops' || actor.kind === 'system') return true;
  const owners = { customer: order.customerId, partner: order.partnerId, driver: order.driverId };
  return owners[actor.kind] === actor.id;
}
