import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  appendAll,
  evaluate,
  isFeasible,
  planRoute,
  takeOrder,
  type RouteOrder,
  type RouteProblem,
  type Stop,
} from '../../../plugins/drivers/route-plan.ts';

const startMs = Date.parse('2026-05-04T08:00:00.000Z');
const base = { start: { lat: 48, lon: 11 }, startMs, speedMps: 7, stopSeconds: 180, capacity: 10 };

interface OrderShape {
  readonly north: number;
  readonly toNorth?: number | null;
  readonly parcels?: number;
  readonly isOnBoard?: boolean;
  readonly endMinutes?: number | null;
}

function toOrder(orderId: string, shape: OrderShape): RouteOrder {
  const { north, toNorth = 10, parcels = 1, isOnBoard = false, endMinutes = null } = shape;
  const stop = (kind: Stop['kind'], km: number, endMs: number | null): Stop => ({
    orderId,
    kind,
    place: { lat: 48 + km / 111.195, lon: 11 },
    startMs: null,
    endMs,
    parcels,
  });
  const endMs = endMinutes === null ? null : startMs + endMinutes * 60_000;
  return {
    orderId,
    parcels,
    pickup: isOnBoard ? null : stop('pickup', north, endMs),
    destination: toNorth === null ? null : stop('destination', toNorth, null),
  };
}

const anyShape = fc.record({
  north: fc.double({ min: -20, max: 20, noNaN: true }),
  toNorth: fc.double({ min: -20, max: 20, noNaN: true }),
  parcels: fc.integer({ min: 1, max: 12 }),
  isOnBoard: fc.boolean(),
  endMinutes: fc.option(fc.integer({ min: -30, max: 240 })),
});
const anyProblem = fc
  .record({
    shapes: fc.array(anyShape, { maxLength: 7 }),
    capacity: fc.integer({ min: 1, max: 15 }),
    isPlaced: fc.boolean(),
  })
  .map(({ shapes, capacity, isPlaced }): RouteProblem => ({
    ...base,
    capacity,
    start: isPlaced ? base.start : null,
    orders: shapes.map((shape, index) => toOrder(`o${index}`, shape)),
  }));
const keys = (stops: readonly Pick<Stop, 'orderId' | 'kind'>[]): readonly string[] =>
  stops.map(({ orderId, kind }) => `${orderId} ${kind}`);

describe('planRoute()', () => {
  it('has each stop once, each destination after its pickup, and never more in the vehicle than it holds', () => {
    fc.assert(
      fc.property(anyProblem, (problem) => {
        const { stops } = planRoute(problem);
        const all = problem.orders.flatMap(({ pickup, destination }) =>
          [pickup, destination].filter((s) => s !== null),
        );
        assert.deepEqual(keys(stops).toSorted(), keys(all).toSorted());
        const onBoard = problem.orders.filter(({ pickup }) => pickup === null);
        const sum = (orders: readonly RouteOrder[]): number => orders.reduce((n, { parcels }) => n + parcels, 0);
        // What ops forced into a vehicle fits by definition.
        const capacity = Math.max(problem.capacity, sum(onBoard), ...problem.orders.map(({ parcels }) => parcels));
        let load = sum(onBoard);
        const seen = new Set<string>();
        for (const { orderId, kind, parcels } of stops) {
          const order = problem.orders.find((each) => each.orderId === orderId);
          if (kind === 'destination') assert.ok(order?.pickup === null || seen.has(orderId));
          seen.add(orderId);
          load += kind === 'pickup' ? parcels : -parcels;
          assert.ok(load >= 0 && load <= capacity, `${load} of ${capacity}`);
        }
        assert.ok(isFeasible(problem, stops));
      }),
      { numRuns: 300 },
    );
  });

  it('never costs more than one order after the other, and its times are those of its stops', () => {
    fc.assert(
      fc.property(anyProblem, (problem) => {
        const plan = planRoute(problem);
        assert.ok(plan.cost <= appendAll(problem).cost);
        assert.equal(evaluate(problem, plan.stops).cost, plan.cost);
        for (const [index, { arriveMs, leaveMs }] of plan.stops.entries()) {
          assert.ok(leaveMs >= arriveMs && arriveMs >= (plan.stops[index - 1]?.leaveMs ?? startMs));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('collects on the way, instead of driving there and back for each', () => {
    const orders = [1, 2, 3].map((north) => toOrder(`o${north}`, { north }));
    const { stops } = planRoute({ ...base, orders });
    assert.deepEqual(
      stops.map(({ kind }) => kind),
      ['pickup', 'pickup', 'pickup', 'destination', 'destination', 'destination'],
    );
  });

  it('goes first where the window closes, though another is nearer', () => {
    const orders = [
      toOrder('near', { north: 1, toNorth: -8 }),
      toOrder('urgent', { north: 8, toNorth: 9, endMinutes: 32 }),
    ];
    const { stops } = planRoute({ ...base, orders });
    assert.equal(stops.find(({ orderId, kind }) => orderId === 'urgent' && kind === 'pickup')?.lateSeconds, 0);
  });

  it('waits for a window that has not begun', () => {
    const order = toOrder('early', { north: 1 });
    const pickup = order.pickup === null ? null : { ...order.pickup, startMs: startMs + 3_600_000 };
    const [stop] = planRoute({ ...base, orders: [{ ...order, pickup }] }).stops;
    assert.equal(stop?.leaveMs, startMs + 3_600_000 + 180_000);
  });

  it('keeps what goes nowhere that is known, and plans many orders all the same', () => {
    const kept = planRoute({
      ...base,
      capacity: 1,
      orders: [1, 2].map((n) => toOrder(`o${n}`, { north: n, toNorth: null })),
    });
    assert.equal(kept.stops.length, 2);
    const many = Array.from({ length: 60 }, (_, index) => toOrder(`o${index}`, { north: (index * 7) % 20 }));
    assert.equal(planRoute({ ...base, orders: many }).stops.length, 120);
    assert.deepEqual(planRoute({ ...base, orders: [] }).stops, []);
  });
});

describe('takeOrder()', () => {
  const problem: RouteProblem = { ...base, orders: [toOrder('a', { north: 1 }), toOrder('b', { north: 2 })] };
  const order = (...names: readonly string[]) =>
    names.map((name) => ({
      orderId: name.charAt(1),
      kind: name.startsWith('p') ? ('pickup' as const) : ('destination' as const),
    }));

  it("takes another's order of the same stops", () => {
    assert.deepEqual(keys(takeOrder(problem, order('pa', 'pb', 'db', 'da'))?.stops ?? []), [
      'a pickup',
      'b pickup',
      'b destination',
      'a destination',
    ]);
  });

  it('refuses one that leaves out, repeats or invents a stop, or cannot be driven', () => {
    for (const wrong of [
      order('pa', 'pb', 'db'),
      order('pa', 'pa', 'pb', 'db', 'da'),
      order('pa', 'pb', 'db', 'da', 'dc'),
      order('da', 'pa', 'pb', 'db'),
    ]) {
      assert.equal(takeOrder(problem, wrong), undefined, keys(wrong).join());
    }
    const full = { ...problem, capacity: 1 };
    assert.equal(takeOrder(full, order('pa', 'pb', 'da', 'db')), undefined);
  });
});
