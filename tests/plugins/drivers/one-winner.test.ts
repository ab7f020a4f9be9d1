/**
 * Everybody wants the same order at the same moment. RETURNIT_RACE_ROUNDS says how often; a hundred rounds need a longer
 * RETURNIT_TEST_FILE_DEADLINE_MS as well.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createDispatching, driver, ops, type Dispatching } from './dispatch-fixture.ts';

const rounds = Number(process.env['RETURNIT_RACE_ROUNDS'] ?? 3);
const rivals = 200;
const options = { timeout: 120_000 + rounds * 60_000 };

describe(`one winner, ${rounds} rounds`, () => {
  let fixture: Dispatching;
  before(async () => {
    fixture = await createDispatching();
  });
  after(() => fixture.stop());
  beforeEach(() =>
    fixture.reset({
      DRIVERS_OFFERS_AT_ONCE: String(rivals),
      DRIVERS_CANDIDATES_MAX: String(rivals),
      DRIVERS_OFFER_SECONDS: '3600',
    }),
  );

  const addRivals = async (count: number): Promise<void> => {
    await fixture.data.sql(
      `insert into drivers (driver_id, name, vehicle, on_shift, status)
        select 'd' || n, 'x', 'van', true, 'approved' from generate_series(1, $1::int) n`,
      [count],
    );
    await fixture.data.sql(
      `insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon)
        select 'd' || n, 'x', now(), 48.137 + n * 0.0001, 11.575 from generate_series(1, $1::int) n`,
      [count],
    );
  };

  it(`of ${rivals} drivers who accept at once has the order; the others are told so`, options, async () => {
    await addRivals(rivals);
    for (let round = 0; round < rounds; round += 1) {
      await fixture.data.sql('update tracking.newest_positions set recorded_at = now()');
      const orderId = await fixture.schedule();
      const offers = await fixture.offers(orderId);
      assert.equal(offers.length, rivals);
      const replies = await Promise.all(offers.map((offer) => fixture.accept(offer)));
      const won = replies.filter(({ status }) => status === 200);
      const told = replies.filter(({ status, code }) => status === 409 && code === 'OFFER_TAKEN');
      assert.deepEqual([won.length, told.length], [1, rivals - 1], `round ${round}`);
      const winner = won[0]?.body['driverId'];
      const { driver_id, status, sequence } = await fixture.assignment(orderId);
      assert.deepEqual([driver_id, status, sequence], [winner, 'accepted', 1]);
      const events = fixture.sentFor(orderId, 'driver.assigned');
      assert.deepEqual(
        events.map(({ data }) => data['driverId']),
        [winner],
      );
      const ends = Map.groupBy(await fixture.offers(orderId), ({ state }) => state);
      assert.deepEqual([ends.get('accepted')?.length, ends.get('lost')?.length], [1, rivals - 1]);
      await fixture.event('order.delivered', orderId);
    }
  });

  it('has it or nobody, when the order is cancelled at the same moment, and is told so', options, async () => {
    await addRivals(20);
    for (let round = 0; round < rounds * 5; round += 1) {
      const orderId = await fixture.schedule();
      const offers = await fixture.offers(orderId);
      const accepts = offers.map((offer) => () => fixture.accept(offer));
      const all = accepts.toSpliced(round % 20, 0, () => fixture.event('order.cancelled', orderId) as never);
      const replies = (await Promise.all(all.map((each) => each()))).filter((reply) => reply !== undefined);
      const won = replies.filter(({ status }) => status === 200).length;
      const codes = new Set(replies.filter(({ status }) => status !== 200).map(({ code }) => code));
      assert.ok(won <= 1);
      for (const code of codes) {
        assert.ok(code === 'OFFER_WITHDRAWN' || (won === 1 && code === 'OFFER_TAKEN'), String(code));
      }
      assert.equal((await fixture.assignment(orderId))['status'], 'ended');
      // Whoever was told that it has the order is told that it is over: the order has not heard of that driver.
      const given = fixture.sentFor(orderId, 'driver.assigned').map(({ data }) => data['driverId']);
      const taken = fixture.sentFor(orderId, 'driver.unassigned').map(({ data }) => [data['driverId'], data['reason']]);
      assert.equal(given.length, won);
      assert.deepEqual(
        taken,
        given.map((driverId) => [driverId, 'cancelled']),
      );
      assert.ok((await fixture.offers(orderId)).every(({ state }) => state !== 'open'));
    }
  });

  it('is never a driver who is suspended at the same moment, whose order goes on', options, async () => {
    await addRivals(10);
    for (let round = 0; round < rounds * 5; round += 1) {
      const orderId = await fixture.schedule();
      const offers = await fixture.offers(orderId);
      const suspended = `d${(round % 10) + 1}`;
      const suspend = () =>
        fixture.running.request('POST /drivers/{driverId}/suspend', {
          principal: ops,
          params: { driverId: suspended },
          body: { reason: 'complaint' },
        });
      // The first to ask has the best chance: let it be the one that is suspended.
      const sorted = offers.toSorted((left) => (left.driverId === suspended ? -1 : 1));
      const accepts = sorted.map((offer) => () => fixture.accept(offer));
      await Promise.all(accepts.toSpliced(round % 4, 0, suspend).map((each) => each()));
      const { status, driver_id } = await fixture.assignment(orderId);
      assert.ok(
        driver_id !== suspended && ['accepted', 'waiting'].includes(String(status)),
        `${String(status)} ${String(driver_id)}`,
      );
      const assigned = fixture.sentFor(orderId, 'driver.assigned').length;
      assert.equal(assigned - fixture.sentFor(orderId, 'driver.unassigned').length, status === 'accepted' ? 1 : 0);
      await fixture.event('order.cancelled', orderId);
      await fixture.running.request('POST /drivers/{driverId}/approve', {
        principal: ops,
        params: { driverId: suspended },
      });
      await fixture.running.request('POST /drivers/{driverId}/shift', {
        principal: driver(suspended),
        params: { driverId: suspended },
        body: { onShift: true },
      });
    }
  });

  it(
    'is one of those who accept, or whom ops gave it by hand, and nobody waits for another for ever',
    options,
    async () => {
      await addRivals(20);
      const other = await fixture.node({ DRIVERS_OFFERS_AT_ONCE: '5' });
      for (let round = 0; round < rounds * 3; round += 1) {
        const orders = await Promise.all(Array.from({ length: 4 }, () => fixture.schedule()));
        const work: (() => Promise<unknown>)[] = [];
        for (const [index, orderId] of orders.entries()) {
          for (const offer of (await fixture.offers(orderId)).slice(0, 6)) {
            work.push(() => fixture.accept(offer, index % 2 === 0 ? other : fixture.running));
          }
          work.push(() => fixture.byHand('assign', orderId, { driverId: `d${(round + index) % 20 || 20}` }));
          work.push(() => other.work('drivers.assign', { orderId }));
          work.push(() => fixture.byHand('hold', orderId, { reason: 'asked to' }));
        }
        // The same seed, the same shuffle: a failure can be repeated.
        const shuffled = work
          .map((each, index) => ({ each, key: (index * 7919 + round * 104_729) % 1009 }))
          .toSorted((left, right) => left.key - right.key);
        await Promise.all(shuffled.map(({ each }) => each()));
        for (const orderId of orders) {
          const { status, driver_id } = await fixture.assignment(orderId);
          const isActive = status === 'accepted' || status === 'assigned';
          assert.equal(driver_id !== null, isActive, `${String(status)} ${String(driver_id)}`);
          const given = fixture.sentFor(orderId, 'driver.assigned');
          const taken = fixture.sentFor(orderId, 'driver.unassigned');
          assert.equal(given.length - taken.length, isActive ? 1 : 0);
          const sequences = [...given, ...taken].map(({ data }) => Number(data['sequence']));
          assert.equal(new Set(sequences).size, sequences.length);
          await fixture.event('order.cancelled', orderId);
        }
      }
    },
  );
});
