import type { Actor, OrderAction, OrderStatus } from '../../../plugins/orders/lifecycle.ts';

/** Every move there is: `action from -> to` and who makes it. What is not here is refused. */
export const moves: readonly [OrderAction, OrderStatus, OrderStatus, readonly Actor['kind'][]][] = [
  ['schedule', 'created', 'scheduled', ['system']],
  ['assign', 'scheduled', 'assigned', ['system']],
  ['unassign', 'assigned', 'scheduled', ['system']],
  ['unassign', 'on_the_way', 'scheduled', ['system']],
  ['unassign', 'arrived', 'scheduled', ['system']],
  ['start', 'assigned', 'on_the_way', ['driver', 'ops']],
  ['arrive', 'on_the_way', 'arrived', ['driver', 'ops', 'system']],
  ['fail_pickup', 'scheduled', 'pickup_failed', ['system']],
  ['fail_pickup', 'on_the_way', 'pickup_failed', ['driver', 'ops']],
  ['fail_pickup', 'arrived', 'pickup_failed', ['driver', 'ops']],
  ['reschedule', 'pickup_failed', 'scheduled', ['customer', 'partner', 'ops']],
  ['pick_up', 'on_the_way', 'picked_up', ['driver', 'ops']],
  ['pick_up', 'arrived', 'picked_up', ['driver', 'ops']],
  ['deliver', 'picked_up', 'delivered', ['driver', 'ops']],
  ['complete', 'delivered', 'completed', ['driver', 'ops', 'system']],
  ['cancel', 'created', 'cancelled', ['customer', 'partner', 'ops', 'system']],
  ['cancel', 'scheduled', 'cancelled', ['customer', 'partner', 'ops', 'system']],
  ['cancel', 'assigned', 'cancelled', ['customer', 'partner', 'ops', 'system']],
  ['cancel', 'on_the_way', 'cancelled', ['ops']],
  ['cancel', 'arrived', 'cancelled', ['ops']],
  ['cancel', 'pickup_failed', 'cancelled', ['customer', 'partner', 'ops', 'system']],
];

/** The event that tells of an action; `edit` is one that leaves the status as it is. */
export const eventOf: Readonly<Record<OrderAction | 'edit' | 'book', string>> = {
  book: 'order.created',
  edit: 'order.updated',
  schedule: 'order.scheduled',
  assign: 'order.assigned',
  unassign: 'order.unassigned',
  start: 'order.started',
  arrive: 'order.arrived',
  fail_pickup: 'order.pickup_failed',
  reschedule: 'order.scheduled',
  pick_up: 'order.picked_up',
  deliver: 'order.delivered',
  complete: 'order.completed',
  cancel: 'order.cancelled',
};
