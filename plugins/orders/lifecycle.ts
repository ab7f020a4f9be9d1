/**
 * created -> scheduled (paid) -> assigned -> on_the_way -> arrived -> picked_up -> delivered -> completed. A pickup that
 * failed, also for want of a driver, is tried again (scheduled) or given up; a driver who is gone gives the order back (scheduled); cancelled until
 * the parcels are in the driver's hands. `transition` is the only place that knows this.
 */
export const orderStatuses = [
  'created',
  'scheduled',
  'assigned',
  'on_the_way',
  'arrived',
  'pickup_failed',
  'picked_up',
  'delivered',
  'completed',
  'cancelled',
] as const;
export type OrderStatus = (typeof orderStatuses)[number];

export const orderActions = [
  'schedule',
  'assign',
  'unassign',
  'start',
  'arrive',
  'fail_pickup',
  'reschedule',
  'pick_up',
  'deliver',
  'complete',
  'cancel',
] as const;
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
  /** Which try to pick the parcels up this is, from 1. */
  readonly attempt: number;
}

interface Rule {
  readonly from: Partial<Record<OrderStatus, readonly ActorKind[]>>;
  readonly to: OrderStatus;
  /** Where this action is done with, maybe by no doing of the actor's: there it is a repetition as well. */
  readonly beyond?: readonly OrderStatus[];
  readonly event: string;
}

const system: readonly ActorKind[] = ['system'];
const driverOrOps: readonly ActorKind[] = ['driver', 'ops'];
const ownerOrOps: readonly ActorKind[] = ['customer', 'partner', 'ops'];
const everybodyButDrivers: readonly ActorKind[] = ['customer', 'partner', 'ops', 'system'];

const rules: Readonly<Record<OrderAction, Rule>> = {
  schedule: { from: { created: system }, to: 'scheduled', event: 'order.scheduled' },
  assign: { from: { scheduled: system }, to: 'assigned', event: 'order.assigned' },
  unassign: {
    from: { assigned: system, on_the_way: system, arrived: system },
    to: 'scheduled',
    event: 'order.unassigned',
  },
  start: {
    from: { assigned: driverOrOps },
    to: 'on_the_way',
    beyond: ['arrived', 'picked_up', 'delivered', 'completed'],
    event: 'order.started',
  },
  arrive: {
    from: { on_the_way: ['driver', 'ops', 'system'] },
    to: 'arrived',
    beyond: ['picked_up', 'delivered', 'completed'],
    event: 'order.arrived',
  },
  fail_pickup: {
    // Nobody was found to drive there.
    from: { scheduled: system, on_the_way: driverOrOps, arrived: driverOrOps },
    to: 'pickup_failed',
    event: 'order.pickup_failed',
  },
  reschedule: { from: { pickup_failed: ownerOrOps }, to: 'scheduled', event: 'order.scheduled' },
  // Who has the parcels has been there, whether or not anybody said so before.
  pick_up: {
    from: { on_the_way: driverOrOps, arrived: driverOrOps },
    to: 'picked_up',
    beyond: ['delivered', 'completed'],
    event: 'order.picked_up',
  },
  deliver: { from: { picked_up: driverOrOps }, to: 'delivered', beyond: ['completed'], event: 'order.delivered' },
  complete: { from: { delivered: ['driver', 'ops', 'system'] }, to: 'completed', event: 'order.completed' },
  cancel: {
    from: {
      created: everybodyButDrivers,
      scheduled: everybodyButDrivers,
      assigned: everybodyButDrivers,
      // A driver who is on the way costs money: from here on only ops cancels, until it was for nothing.
      on_the_way: ['ops'],
      arrived: ['ops'],
      pickup_failed: everybodyButDrivers,
    },
    to: 'cancelled',
    event: 'order.cancelled',
  },
};

export type Transition =
  | { readonly kind: 'moved'; readonly from: OrderStatus; readonly to: OrderStatus; readonly event: string }
  /** The order is already where the action leads, or beyond: a repeated request, or an event delivered late. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'hidden' }
  | { readonly kind: 'exhausted'; readonly detail: string }
  | { readonly kind: 'refused'; readonly detail: string };

export interface TransitionRequest {
  readonly action: OrderAction;
  readonly actor: Actor;
  /** Tries of a pickup that an order gets. */
  readonly attemptsMax: number;
}

/** Decides what an action of an actor does to an order. */
export function transition(order: OrderState, { action, actor, attemptsMax }: TransitionRequest): Transition {
  if (!maySee(order, actor)) return { kind: 'hidden' };
  const rule = rules[action];
  const everAllowed = Object.values(rule.from).some((kinds) => kinds.includes(actor.kind));
  const isDone = order.status === rule.to || rule.beyond?.includes(order.status) === true;
  if (isDone && everAllowed) return { kind: 'unchanged' };
  const allowed = rule.from[order.status] ?? [];
  if (!allowed.includes(actor.kind)) return { kind: 'refused', detail: refusal(order.status, action, actor.kind) };
  if (action === 'reschedule' && order.attempt >= attemptsMax) {
    return {
      kind: 'exhausted',
      detail: `Cannot reschedule the order: its pickup was tried ${order.attempt} times, at most ${attemptsMax} are made`,
    };
  }
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
export function maySee(order: Pick<OrderState, 'customerId' | 'partnerId' | 'driverId'>, actor: Actor): boolean {
  if (actor.kind === 'ops' || actor.kind === 'system') return true;
  const owners = { customer: order.customerId, partner: order.partnerId, driver: order.driverId };
  return owners[actor.kind] === actor.id;
}

const untilAssigned: ReadonlySet<OrderStatus> = new Set(['created', 'scheduled']);
const ends: ReadonlySet<OrderStatus> = new Set(['completed', 'cancelled']);

/** Whether the notes of an order may be changed: by its owner until a driver reads them, by ops until it is over. */
export function mayEdit(order: OrderState, actor: Actor): boolean {
  if (actor.kind === 'ops') return !ends.has(order.status);
  return (actor.kind === 'customer' || actor.kind === 'partner') && untilAssigned.has(order.status);
}
