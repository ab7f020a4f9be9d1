import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Principal } from '#plugin-api';
import { eventOf, moves } from './moves.ts';
import { createOrdersRig, customer, ops, slotIn, type OrdersRig, type ShownOrder } from './orders-rig.ts';

interface News {
  readonly kind: 'assigned' | 'unassigned';
  readonly driverId: string;
  readonly attempt: number;
  readonly sequence: number;
}

type Command =
  | { readonly kind: 'payment'; readonly event: 'authorised' | 'captured' | 'declined' | 'failed' }
  | { readonly kind: 'news'; readonly index: number }
  | { readonly kind: 'unavailable'; readonly attempt: number }
  | { readonly kind: 'arrived'; readonly driverId: string; readonly minutesAgo: number }
  | { readonly kind: 'act'; readonly who: Principal; readonly verb: string; readonly body?: object }
  | { readonly kind: 'edit'; readonly who: Principal; readonly notes: string };

const driverIds = ['d1', 'd2'];
const people: readonly Principal[] = [customer, ops, ...driverIds.map((id) => ({ id, role: 'driver' }) as const)];
const driversAndOps = people.filter(({ role }) => role !== 'customer');

const act = (who: readonly Principal[], verb: string, body?: fc.Arbitrary<object>): fc.Arbitrary<Command> =>
  fc.record({
    kind: fc.constant('act' as const),
    who: fc.constantFrom(...who),
    verb: fc.constant(verb),
    ...(body === undefined ? {} : { body }),
  });

/** What drivers say in the order that it is true; it may be delivered in any. */
const newsLog = fc
  .array(fc.tuple(fc.boolean(), fc.constantFrom(...driverIds), fc.nat(4)), { minLength: 4, maxLength: 12 })
  .map((entries) => {
    let attempt = 1;
    return entries.map(([isEnd, driverId, next], index): News => {
      if (next === 0 && attempt < 3) attempt += 1;
      return { kind: isEnd && index > 0 ? 'unassigned' : 'assigned', driverId, attempt, sequence: index + 1 };
    });
  });

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('payment' as const), event: fc.constantFrom('authorised', 'captured') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('payment' as const), event: fc.constantFrom('declined', 'failed') }),
  },
  { weight: 7, arbitrary: fc.record({ kind: fc.constant('news' as const), index: fc.nat(11) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('arrived' as const),
      driverId: fc.constantFrom(...driverIds),
      minutesAgo: fc.constantFrom(-5, 5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('unavailable' as const), attempt: fc.integer({ min: 1, max: 6 }) }),
  },
  ...['start', 'pickup', 'deliver'].map((verb) => ({ weight: 4, arbitrary: act(driversAndOps, verb) })),
  ...['arrive', 'complete'].map((verb) => ({ weight: 2, arbitrary: act(driversAndOps, verb) })),
  { weight: 3, arbitrary: act(driversAndOps, 'fail-pickup', fc.constant({ reason: 'nobody_home' })) },
  {
    weight: 3,
    arbitrary: act(
      [customer, ops],
      'reschedule',
      fc.integer({ min: 2, max: 4 }).map((slots) => ({ pickupWindow: slotIn(slots) })),
    ),
  },
  { weight: 1, arbitrary: act([customer, ops], 'cancel', fc.constant({})) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('edit' as const),
      who: fc.constantFrom(customer, ops),
      notes: fc.constantFrom('a', 'b'),
    }),
  },
);

/** What is done at the same moment, each up to twice. */
const rounds = fc.array(fc.array(fc.tuple(command, fc.boolean()), { minLength: 1, maxLength: 4 }), {
  minLength: 5,
  maxLength: 18,
});

const newsOf = (log: readonly News[], { index }: { readonly index: number }): News =>
  log[index % log.length] ?? assert.fail();

/** From the driver to the end: what comes by chance goes astray before. */
const straightThrough: [Command, boolean][][] = [
  [[{ kind: 'news', index: 0 }, false]],
  ...['start', 'arrive', 'pickup', 'deliver', 'complete'].map((verb): [Command, boolean][] => [
    [{ kind: 'act', who: ops, verb }, false],
  ]),
];

describe('the life cycle of an order', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
  });
  after(() => rig.stop());

  async function run(orderId: string, log: readonly News[], one: Command): Promise<void> {
    switch (one.kind) {
      case 'payment':
        return rig.running.deliver(`payment.${one.event}`, { orderId, reason: 'x' });
      case 'news': {
        const { kind, ...news } = newsOf(log, one);
        return rig.running.deliver(`driver.${kind}`, { orderId, ...news });
      }
      case 'unavailable':
        return rig.running.deliver('driver.unavailable', { orderId, attempt: one.attempt, final: true });
      case 'arrived': {
        const at = new Date(Date.now() - one.minutesAgo * 60_000).toISOString();
        return rig.running.deliver('driver.arrived', { orderId, driverId: one.driverId, stop: 'pickup', at });
      }
      case 'act': {
        const { status, code } = await rig.act(one.who, orderId, one.verb, one.body);
        assert.ok([200, 404, 409].includes(status), `${one.verb} ${status} ${code}`);
        return undefined;
      }
      case 'edit': {
        const request = { principal: one.who, params: { orderId }, body: { notes: one.notes } };
        const { status } = await rig.running.request('PATCH /orders/{orderId}', request);
        assert.ok([200, 409].includes(status), `edit ${status}`);
      }
    }
  }

  /** Each step is a legal one, follows from the one before, and was told once; the order is what they make of it. */
  function assertHistory(order: ShownOrder): void {
    const { history } = order;
    assert.deepEqual(
      history.map(({ sequence }) => sequence),
      history.map((_, index) => index + 1),
    );
    let status: string | null = null;
    let driverId: string | null = null;
    let attempt = 1;
    const events = rig.eventsOf(order.orderId);
    for (const [index, step] of history.entries()) {
      const name = `${step.action} ${step.from} > ${step.to} by ${step.actorKind}`;
      assert.equal(step.from, status, name);
      const isLegal =
        step.action === 'book' ||
        (step.action === 'edit' && step.from === step.to) ||
        moves.some(
          ([action, from, to, kinds]) =>
            action === step.action &&
            from === step.from &&
            to === step.to &&
            kinds.some((kind) => kind === step.actorKind),
        );
      assert.ok(isLegal, name);
      status = step.to;
      if (step.action === 'reschedule') attempt += 1;
      const told = events.filter(({ data }) => data['version'] === step.sequence);
      assert.equal(told.length, 1, name);
      const { name: event, data } = told[0] ?? assert.fail();
      assert.equal(event, eventOf[step.action as keyof typeof eventOf], name);
      assert.deepEqual([data['status'], data['from'], data['attempt']], [step.to, step.from, attempt], name);
      if (step.action === 'unassign' || step.action === 'reschedule') driverId = null;
      if (step.action === 'assign') {
        // Whoever had it before has been let go, and told so.
        assert.equal(driverId, null, name);
        driverId = String(data['driverId']);
      }
      assert.equal(data['driverId'], driverId, name);
      if (step.actorKind === 'driver') assert.equal(step.actorId, driverId, name);
      if (index > 0) assert.match(step.traceId ?? '', /^(e{32}|r)$/, name);
    }
    assert.equal(events.length, history.length);
    assert.deepEqual(
      [order.status, order.driverId, order.attempt, order.version],
      [status, driverId, attempt, history.length],
    );
  }

  /** A driver who holds the order is the one of the newest news of this attempt, whatever came last. */
  function assertNewestWins(order: ShownOrder, delivered: readonly News[]): void {
    if (!['assigned', 'on_the_way', 'arrived'].includes(order.status)) return;
    const newest = delivered
      .filter(({ attempt }) => attempt === order.attempt)
      .toSorted((a, b) => a.sequence - b.sequence)
      .at(-1);
    assert.deepEqual([newest?.kind, newest?.driverId], ['assigned', order.driverId]);
  }

  async function assertPlaces(): Promise<void> {
    const wrong = await rig.data
      .sql(`select o.status, p.starts_at from orders o left join order_places p using (order_id)
      where (o.status = 'cancelled') = (p.order_id is not null)`);
    assert.deepEqual(wrong, []);
    const miscounted = await rig.data.sql(`select w.taken from pickup_windows w
      where w.taken <> (select count(*) from order_places p where p.area = w.area and p.starts_at = w.starts_at)`);
    assert.deepEqual(miscounted, []);
  }

  const reached = new Set<string>();

  it('is legal, told and consistent, whatever is done at the same moment, late and twice', async () => {
    await fc.assert(
      fc.asyncProperty(newsLog, rounds, async (log, all) => {
        const { body } = await rig.book(customer, { pickupWindow: slotIn(2) });
        const orderId = String(body['orderId']);
        await rig.running.deliver('payment.authorised', { orderId });
        const delivered: News[] = [];
        let sequence = 0;
        for (const round of all) {
          const { attempt } = await rig.get(orderId);
          // Of a try that has not begun drivers have heard of nothing.
          const possible = round.filter(([one]) => one.kind !== 'news' || newsOf(log, one).attempt <= attempt);
          const twice = possible.flatMap(([one, again]) => (again ? [one, one] : [one]));
          await Promise.all(twice.map((one) => run(orderId, log, one)));
          for (const one of twice) if (one.kind === 'news') delivered.push(newsOf(log, one));
          const order = await rig.get(orderId);
          reached.add(order.status);
          assertHistory(order);
          assertNewestWins(order, delivered);
          const [row] = await rig.data.sql('select assignment_sequence from orders where order_id = $1', [orderId]);
          assert.ok(Number(row?.['assignment_sequence']) >= sequence, 'an older assignment won');
          sequence = Number(row?.['assignment_sequence']);
        }
        await assertPlaces();
      }),
      { numRuns: 60, examples: [[[{ kind: 'assigned', driverId: 'd1', attempt: 1, sequence: 1 }], straightThrough]] },
    );
    assert.ok(reached.size >= 7, `only ${[...reached].join(', ')} were reached`);
  });

  it('leaves what was completed as it is, also past the plugin', async () => {
    const orderId = await rig.reach('picked_up');
    for (const verb of ['deliver', 'complete']) await rig.act(ops, orderId, verb);
    const completed = await rig.get(orderId);
    assert.equal(completed.status, 'completed');
    for (const [text, what] of [
      [`update orders set notes = 'x' where order_id = $1`, 'completion'],
      [`update orders set status = 'cancelled' where order_id = $1`, 'completion'],
      [`update order_history set reason = 'x' where order_id = $1`, 'history'],
      [`update order_parcels set description = 'x' where order_id = $1`, 'parcels'],
    ] as const) {
      await assert.rejects(rig.data.sql(text, [orderId]), {
        message: `the ${what} of order ${orderId} cannot be changed`,
      });
    }
    await rig.running.deliver('driver.unassigned', { orderId, driverId: 'd1', attempt: 1, sequence: 9 });
    await rig.running.deliver('payment.captured', { orderId });
    assert.equal((await rig.act(ops, orderId, 'cancel')).status, 409);
    // Repetitions of what was done.
    for (const verb of ['start', 'arrive', 'pickup', 'deliver'])
      assert.equal((await rig.act(ops, orderId, verb)).status, 200);
    assert.deepEqual(await rig.get(orderId), completed);
  });
});
