import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { decideAssignment } from '../../../plugins/orders/assignment.ts';
import {
  actorKinds,
  mayEdit,
  orderActions,
  orderStatuses,
  transition,
  type Actor,
  type OrderAction,
  type OrderState,
  type OrderStatus,
} from '../../../plugins/orders/lifecycle.ts';
import { moves } from './moves.ts';

const owners = { customerId: 'c1', partnerId: 'p1', driverId: 'd1', attempt: 1 };
const involved: Record<Actor['kind'], string> = {
  customer: 'c1',
  partner: 'p1',
  driver: 'd1',
  ops: 'o1',
  system: 'payments',
};

/** Where the action is done with: whoever got no answer to it may ask again though the order has gone on. */
const beyond: Partial<Record<OrderAction, readonly OrderStatus[]>> = {
  start: ['arrived', 'picked_up', 'delivered', 'completed'],
  arrive: ['picked_up', 'delivered', 'completed'],
  pick_up: ['delivered', 'completed'],
  deliver: ['completed'],
};

const attemptsMax = 3;
const withDriver = orderStatuses.filter((status) => !['created', 'scheduled', 'cancelled'].includes(status));

describe('transition()', () => {
  it('makes exactly the moves of the table, for every status, action and kind of actor', () => {
    for (const status of orderStatuses) {
      for (const action of orderActions) {
        for (const kind of actorKinds) {
          const request = { action, actor: { kind, id: involved[kind] }, attemptsMax };
          const decision = transition({ ...owners, status }, request);
          const move = moves.find(([a, from, , kinds]) => a === action && from === status && kinds.includes(kind));
          const name = `${kind} ${action} from ${status}`;
          if (move !== undefined) {
            assert.equal(decision.kind, 'moved', name);
            assert.equal(decision.kind === 'moved' && decision.to, move[2], name);
            continue;
          }
          const repeats = moves.some(
            ([a, , to, kinds]) =>
              a === action && kinds.includes(kind) && (to === status || beyond[a]?.includes(status) === true),
          );
          assert.equal(decision.kind, repeats ? 'unchanged' : 'refused', name);
        }
      }
    }
  });

  it('hides an order from everybody who has nothing to do with it', () => {
    for (const kind of ['customer', 'partner', 'driver'] as const) {
      for (const action of orderActions) {
        const request = { action, actor: { kind, id: 'other' }, attemptsMax };
        assert.deepEqual(transition({ ...owners, status: 'created' }, request), { kind: 'hidden' });
      }
    }
  });

  it('says what would have been allowed', () => {
    const actor = { kind: 'customer', id: 'c1' } as const;
    const decision = transition({ ...owners, status: 'picked_up' }, { action: 'cancel', actor, attemptsMax });
    assert.deepEqual(decision, {
      kind: 'refused',
      detail:
        "Cannot cancel the order: it is 'picked_up'; customer may when it is 'created' or 'scheduled' or 'assigned' or 'pickup_failed'",
    });
  });

  it('gives a failed pickup so many tries and no more', () => {
    const actor = { kind: 'customer', id: 'c1' } as const;
    const reschedule = (attempt: number): string =>
      transition({ ...owners, status: 'pickup_failed', attempt }, { action: 'reschedule', actor, attemptsMax }).kind;
    assert.deepEqual([1, 2, 3, 4].map(reschedule), ['moved', 'moved', 'exhausted', 'exhausted']);
  });

  it('never leaves an end, never goes back behind the pickup, and has a driver whenever it must', () => {
    const rank = new Map<OrderStatus, number>(orderStatuses.map((status, index) => [status, index]));
    const pickedUp = rank.get('picked_up') ?? 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...orderActions), fc.constantFrom(...actorKinds)), { maxLength: 80 }),
        (steps) => {
          let order: OrderState = { ...owners, driverId: null, status: 'created' };
          for (const [action, kind] of steps) {
            const decision = transition(order, { action, actor: { kind, id: involved[kind] }, attemptsMax });
            if (decision.kind !== 'moved') continue;
            const [before, after] = [rank.get(order.status) ?? 0, rank.get(decision.to) ?? 0];
            assert.ok(order.status !== 'completed' && order.status !== 'cancelled', 'left an end');
            assert.ok(before < pickedUp || after > before, 'went back after the pickup');
            const isFree = decision.to === 'scheduled';
            // Whose pickup failed since nobody was found has none.
            const isUndriven = action === 'fail_pickup' && order.status === 'scheduled';
            const driverId = action === 'assign' ? 'd1' : isFree ? null : order.driverId;
            order = {
              ...order,
              status: decision.to,
              driverId,
              attempt: order.attempt + Number(action === 'reschedule'),
            };
            assert.ok(order.attempt <= attemptsMax);
            if (withDriver.includes(order.status)) assert.equal(order.driverId, isUndriven ? null : 'd1');
          }
        },
      ),
    );
  });
});

describe('mayEdit()', () => {
  it('lets owners until the assignment and ops until the end', () => {
    const may = (kind: Actor['kind']): OrderStatus[] =>
      orderStatuses.filter((status) => mayEdit({ ...owners, status }, { kind, id: involved[kind] }));
    assert.deepEqual(may('customer'), ['created', 'scheduled']);
    assert.deepEqual(may('partner'), ['created', 'scheduled']);
    assert.deepEqual(may('driver'), []);
    assert.deepEqual(
      may('ops'),
      orderStatuses.filter((status) => status !== 'completed' && status !== 'cancelled'),
    );
  });
});

describe('decideAssignment()', () => {
  const order = { ...owners, status: 'assigned', attempt: 2, assignmentSequence: 5 } as const;
  const news = { kind: 'assigned', driverId: 'd2', attempt: 2, sequence: 6 } as const;

  it('lets nothing old win', () => {
    for (const sequence of [4, 5]) {
      for (const kind of ['assigned', 'unassigned'] as const) {
        assert.deepEqual(decideAssignment(order, { ...news, kind, sequence }), { kind: 'stale' });
      }
    }
    assert.deepEqual(decideAssignment(order, { ...news, attempt: 1 }), { kind: 'noted' });
  });

  it('ends the assignment before, whether or not its end is known', () => {
    assert.deepEqual(decideAssignment(order, news), { kind: 'steps', actions: ['unassign', 'assign'] });
    assert.deepEqual(decideAssignment({ ...order, status: 'scheduled', driverId: null }, news), {
      kind: 'steps',
      actions: ['assign'],
    });
    assert.deepEqual(decideAssignment(order, { ...news, kind: 'unassigned' }), {
      kind: 'steps',
      actions: ['unassign'],
    });
  });

  it('leaves an order with the driver who has it, and one whose parcels are on board', () => {
    assert.deepEqual(decideAssignment(order, { ...news, driverId: 'd1' }), { kind: 'noted' });
    for (const status of ['picked_up', 'delivered', 'completed', 'cancelled', 'pickup_failed'] as const) {
      for (const kind of ['assigned', 'unassigned'] as const) {
        assert.deepEqual(decideAssignment({ ...order, status }, { ...news, kind }), { kind: 'noted' });
      }
    }
  });
});
