import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  actorKinds,
  orderActions,
  orderStatuses,
  transition,
  type Actor,
  type OrderAction,
  type OrderState,
  type OrderStatus,
} from '../../../plugins/orders/lifecycle.ts';

const owners = { customerId: 'c1', partnerId: 'p1', driverId: 'd1' };
const involved: Record<Actor['kind'], string> = {
  customer: 'c1',
  partner: 'p1',
  driver: 'd1',
  ops: 'o1',
  system: 'payments',
};

/** Every move there is: `action from -> to` and who makes it. What is not here is refused. */
const moves: readonly [OrderAction, OrderStatus, OrderStatus, readonly Actor['kind'][]][] = [
  ['schedule', 'created', 'scheduled', ['system']],
  ['assign', 'scheduled', 'assigned', ['system']],
  ['start', 'assigned', 'on_the_way', ['driver', 'ops']],
  ['pick_up', 'on_the_way', 'picked_up', ['driver', 'ops']],
  ['deliver', 'picked_up', 'delivered', ['driver', 'ops']],
  ['complete', 'delivered', 'completed', ['driver', 'ops']],
  ['cancel', 'created', 'cancelled', ['customer', 'partner', 'ops', 'system']],
  ['cancel', 'scheduled', 'cancelled', ['customer', 'partner', 'ops', 'system']],
  ['cancel', 'assigned', 'cancelled', ['customer', 'partner', 'ops', 'system']],
  ['cancel', 'on_the_way', 'cancelled', ['ops']],
];

describe('transition()', () => {
  it('makes exactly the moves of the table, for every status, action and kind of actor', () => {
    for (const status of orderStatuses) {
      for (const action of orderActions) {
        for (const kind of actorKinds) {
          const decision = transition({ ...owners, status }, action, { kind, id: involved[kind] });
          const move = moves.find(([a, from, , kinds]) => a === action && from === status && kinds.includes(kind));
          const name = `${kind} ${action} from ${status}`;
          if (move !== undefined) {
            assert.equal(decision.kind, 'moved', name);
            assert.equal(decision.kind === 'moved' && decision.to, move[2], name);
            continue;
          }
          const repeats = moves.some(([a, , to, kinds]) => a === action && to === status && kinds.includes(kind));
          assert.equal(decision.kind, repeats ? 'unchanged' : 'refused', name);
        }
      }
    }
  });

  it('hides an order from everybody who has nothing to do with it', () => {
    for (const kind of ['customer', 'partner', 'driver'] as const) {
      for (const action of orderActions) {
        assert.deepEqual(transition({ ...owners, status: 'created' }, action, { kind, id: 'other' }), {
          kind: 'hidden',
        });
      }
    }
  });

  it('says what would have been allowed', () => {
    const decision = transition({ ...owners, status: 'picked_up' }, 'cancel', { kind: 'customer', id: 'c1' });
    assert.deepEqual(decision, {
      kind: 'refused',
      detail:
        "Cannot cancel the order: it is 'picked_up'; customer may when it is 'created' or 'scheduled' or 'assigned'",
    });
  });

  it('never leaves an end, never goes back, and has a driver from the assignment on, whatever is tried', () => {
    const rank = new Map<OrderStatus, number>(orderStatuses.map((status, index) => [status, index]));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...orderActions), fc.constantFrom(...actorKinds)), { maxLength: 60 }),
        (steps) => {
          let order: OrderState = { ...owners, driverId: null, status: 'created' };
          const visited = new Set<OrderStatus>(['created']);
          for (const [action, kind] of steps) {
            const decision = transition(order, action, { kind, id: involved[kind] });
            if (decision.kind !== 'moved') continue;
            assert.ok(order.status !== 'completed' && order.status !== 'cancelled', 'left an end');
            assert.ok((rank.get(decision.to) ?? 0) > (rank.get(order.status) ?? 0), 'went back');
            assert.ok(!visited.has(decision.to), 'visited twice');
            visited.add(decision.to);
            order = { ...order, status: decision.to, driverId: action === 'assign' ? 'd1' : order.driverId };
            if (!['created', 'scheduled', 'cancelled'].includes(order.status)) assert.equal(order.driverId, 'd1');
          }
        },
      ),
    );
  });
});
