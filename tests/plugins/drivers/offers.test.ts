import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { offerStates, transition, type OfferAction, type OfferState } from '../../../plugins/drivers/offer.ts';
import { createDispatching, driver, ops, type Dispatching } from './dispatch-fixture.ts';

describe('offers', () => {
  let fixture: Dispatching;
  before(async () => {
    fixture = await createDispatching();
  });
  after(() => fixture.stop());
  beforeEach(() => fixture.reset({ DRIVERS_OFFERS_AT_ONCE: '2', DRIVERS_OFFER_SECONDS: '60' }));

  const addAsking = async (...ids: readonly string[]): Promise<void> => {
    for (const [index, id] of ids.entries()) await fixture.addDriver(id, 100 + 1000 * index, { autoAccept: false });
  };
  const states = async (orderId: string): Promise<unknown> =>
    (await fixture.offers(orderId)).map(({ driverId, state, reason }) => [driverId, state, reason]);
  const timeOut = (orderId: string): Promise<unknown> =>
    fixture.data.sql(`update driver_offers set expires_at = now() - interval '1 ms' where order_id = $1`, [orderId]);

  it('go to the best, as many at once as is set, with an event and a push to each phone', async () => {
    await addAsking('d1', 'd2', 'd3');
    const orderId = await fixture.schedule({ parcels: 2 });
    assert.deepEqual(await states(orderId), [
      ['d1', 'open', null],
      ['d2', 'open', null],
    ]);
    const [first] = await fixture.offers(orderId);
    const events = fixture.sentFor(orderId, 'driver.offered');
    assert.deepEqual(
      events.map(({ data }) => data['driverId']),
      ['d1', 'd2'],
    );
    const { offerId } = first ?? { offerId: '' };
    const push = fixture.data.find('drivers.push').find(({ data }) => data['offerId'] === offerId);
    await fixture.running.work('drivers.push', push?.data ?? {});
    const [message] = fixture.running.recorded.messages;
    assert.ok(message !== undefined);
    const { expirySeconds } = message.options as { expirySeconds: number };
    assert.ok(expirySeconds > 0 && expirySeconds <= 60, String(expirySeconds));
    assert.equal(message.topic, 'drivers/d1/offers');
    const { type, orderId: offered, parcels } = message.payload as Record<string, unknown>;
    assert.deepEqual([type, offered, parcels], ['offer', orderId, 2]);
    assert.equal(fixture.running.counted('returnit_offers_total', { outcome: 'made' }), 2);
  });

  it('are not pushed when they are over by then', async () => {
    await addAsking('d1');
    const orderId = await fixture.schedule();
    await timeOut(orderId);
    await fixture.running.work('drivers.push', fixture.data.find('drivers.push').at(-1)?.data ?? {});
    assert.equal(fixture.running.recorded.messages.length, 0);
  });

  it('can be read by their driver and by ops, and accepted once', async () => {
    await addAsking('d1', 'd2');
    const orderId = await fixture.schedule();
    const [mine, other] = await fixture.offers(orderId);
    assert.ok(mine !== undefined && other !== undefined);
    const read = (id: string, query = {}) =>
      fixture.running.request('GET /drivers/{driverId}/offers', {
        principal: driver(id),
        params: { driverId: 'd1' },
        query,
      });
    assert.equal((await read('d2')).code, 'DRIVER_NOT_FOUND');
    assert.equal(((await read('d1')).body['offers'] as unknown[]).length, 1);
    assert.equal((await fixture.accept({ offerId: mine.offerId, driverId: 'd2' })).code, 'OFFER_NOT_FOUND');
    assert.equal((await fixture.accept(mine)).body['state'], 'accepted');
    // A phone that did not get the answer asks again.
    assert.equal((await fixture.accept(mine)).status, 200);
    const late = await fixture.accept(other);
    assert.deepEqual([late.status, late.code], [409, 'OFFER_TAKEN']);
    assert.equal(typeof late.body['takenAt'], 'string');
    assert.equal(fixture.sentFor(orderId, 'driver.assigned').length, 1);
    assert.equal(((await read('d1')).body['offers'] as unknown[]).length, 0);
    assert.equal(((await read('d1', { all: true })).body['offers'] as unknown[]).length, 1);
    const all = await fixture.running.request('GET /drivers/offers', { principal: ops, query: { orderId } });
    assert.equal((all.body['offers'] as unknown[]).length, 2);
    for (const { data } of fixture.data.find('drivers.push').slice(-1))
      await fixture.running.work('drivers.push', data);
    assert.equal(fixture.running.counted('returnit_offers_total', { outcome: 'lost' }), 1);
    assert.deepEqual(fixture.running.recorded.messages.at(-1)?.payload, {
      type: 'closed',
      offerId: other.offerId,
      orderId,
      reason: 'taken',
    });
  });

  it('are not accepted a second time by who has lost the order since', async () => {
    await addAsking('d1');
    const orderId = await fixture.schedule();
    const [offer] = await fixture.offers(orderId);
    assert.ok(offer !== undefined);
    await fixture.accept(offer);
    await fixture.byHand('release', orderId);
    const again = await fixture.accept(offer);
    assert.deepEqual([again.code, again.body['because']], ['OFFER_WITHDRAWN', 'unassigned']);
  });

  it('go to the next driver when one declines, who is not asked again', async () => {
    await fixture.reset();
    await addAsking('d1', 'd2');
    const orderId = await fixture.schedule();
    const [first] = await fixture.offers(orderId);
    assert.ok(first !== undefined);
    assert.equal((await fixture.answer(first, 'decline')).body['state'], 'declined');
    assert.equal((await fixture.answer(first, 'decline')).status, 200);
    assert.equal((await fixture.accept(first)).code, 'OFFER_DECLINED');
    assert.equal((await fixture.answer(first, 'withdraw')).code, 'OFFER_DECLINED');
    assert.equal(fixture.running.counted('returnit_offers_total', { outcome: 'declined' }), 1);
    await fixture.tryAgain(orderId);
    const second = (await fixture.offers(orderId)).at(-1);
    assert.ok(second !== undefined && second.driverId === 'd2');
    await fixture.answer(second, 'withdraw');
    await fixture.tryAgain(orderId);
    assert.deepEqual(await states(orderId), [
      ['d1', 'declined', null],
      ['d2', 'withdrawn', 'withdrawn_by_ops'],
    ]);
    assert.equal(fixture.sentFor(orderId, 'driver.unavailable').length, 1);
  });

  it('time out by the clock, go to the next driver, and come back after a while', async () => {
    await fixture.reset({ DRIVERS_REOFFER_SECONDS: '100' });
    await addAsking('d1', 'd2');
    const orderId = await fixture.schedule();
    const [first] = await fixture.offers(orderId);
    assert.ok(first !== undefined);
    await timeOut(orderId);
    // Nobody has put it down yet.
    const late = await fixture.accept(first);
    assert.deepEqual([late.code, (await fixture.assignment(orderId))['status']], ['OFFER_EXPIRED', 'waiting']);
    assert.equal(fixture.running.counted('returnit_offers_total', { outcome: 'late' }), 1);
    await fixture.tryAgain(orderId);
    assert.equal(fixture.running.counted('returnit_offers_total', { outcome: 'timed_out' }), 1);
    await timeOut(orderId);
    await fixture.tryAgain(orderId);
    assert.deepEqual(await states(orderId), [
      ['d1', 'timed_out', null],
      ['d2', 'timed_out', null],
    ]);
    await fixture.data.sql(`update driver_offers set closed_at = closed_at - interval '101 s'`);
    await fixture.tryAgain(orderId);
    assert.deepEqual((await fixture.offers(orderId)).at(-1)?.driverId, 'd1');
  });

  it('ask who accepts by itself when those who are better have had their turn', async () => {
    await addAsking('d1');
    await fixture.addDriver('employed', 3000);
    await fixture.addDriver('d9', 6000, { autoAccept: false });
    const orderId = await fixture.schedule();
    assert.deepEqual(await states(orderId), [['d1', 'open', null]]);
    const [first] = await fixture.offers(orderId);
    assert.ok(first !== undefined);
    await fixture.answer(first, 'decline');
    await fixture.tryAgain(orderId);
    assert.equal((await fixture.assignment(orderId))['driver_id'], 'employed');
  });

  it('are bounded for each driver, and withdrawn when it goes off shift or on a break', async () => {
    await fixture.reset({ DRIVERS_OPEN_OFFERS_MAX: '2' });
    await addAsking('d1');
    const orders = [await fixture.schedule(), await fixture.schedule(), await fixture.schedule()];
    const open = await Promise.all(orders.map(states));
    assert.deepEqual(open, [[['d1', 'open', null]], [['d1', 'open', null]], []]);
    const [offer] = await fixture.offers(orders[0] ?? '');
    assert.ok(offer !== undefined);
    const put = (path: string, body: object) =>
      fixture.running.request(`POST /drivers/{driverId}/${path}`, {
        principal: driver('d1'),
        params: { driverId: 'd1' },
        body,
      });
    assert.equal((await put('break', { onBreak: true })).body['onBreak'], true);
    const late = await fixture.accept(offer);
    assert.deepEqual([late.code, late.body['because']], ['DRIVER_NOT_AVAILABLE', 'on a break']);
    await put('break', { onBreak: false });
    const withdrawn = await fixture.accept(offer);
    assert.deepEqual([withdrawn.code, withdrawn.body['because']], ['OFFER_WITHDRAWN', 'off_shift']);
    assert.ok(fixture.sentFor(orders[0] ?? '', 'drivers.assign').length > 1);
  });

  it('refuse a driver whose vehicle has become full', async () => {
    await fixture.addDriver('d1', 100, { autoAccept: false, capacityParcels: 5 });
    const [first, second] = [await fixture.schedule({ parcels: 3 }), await fixture.schedule({ parcels: 3 })];
    const [one] = await fixture.offers(first);
    const [two] = await fixture.offers(second);
    assert.ok(one !== undefined && two !== undefined);
    const replies = await Promise.all([fixture.accept(one), fixture.accept(two)]);
    assert.deepEqual(replies.map(({ code }) => code ?? 'ok').toSorted(), ['DRIVER_FULL', 'ok']);
  });

  it('are listed page by page, none twice and none left out', async () => {
    await addAsking('d1', 'd2', 'd3', 'd4', 'd5');
    const orderId = await fixture.schedule();
    for (let index = 0; index < 4; index += 1) {
      const open = (await fixture.offers(orderId)).find(({ state }) => state === 'open');
      if (open !== undefined) await fixture.answer(open, 'decline');
      await fixture.tryAgain(orderId);
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: Record<string, unknown> = { orderId, limit: 2, ...(cursor === null ? {} : { cursor }) };
      const { body } = await fixture.running.request('GET /drivers/offers', { principal: ops, query });
      seen.push(...(body['offers'] as { offerId: string }[]).map(({ offerId }) => offerId));
      cursor = body['nextCursor'] as string | null;
    } while (cursor !== null);
    const all = (await fixture.offers(orderId)).map(({ offerId }) => offerId);
    assert.deepEqual(seen.toSorted(), all.toSorted());
    const bad = await fixture.running.request('GET /drivers/offers', {
      principal: ops,
      query: { orderId, cursor: 'x' },
    });
    assert.equal(bad.code, 'DRIVER_CURSOR_INVALID');
  });
});

describe('transition()', () => {
  it('lets an offer end once, and takes the same again for no change, whatever happens to it', () => {
    const action = fc.constantFrom<OfferAction>('accept', 'decline', 'time_out', 'withdraw', 'lose');
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 10 }), (actions) => {
        let state: OfferState = 'open';
        for (const [index, each] of actions.entries()) {
          const step = transition(state, each);
          if (index === 0) assert.equal(step.kind, 'moved');
          else assert.equal(step.kind, each === actions[0] ? 'unchanged' : 'refused');
          if (step.kind === 'moved') state = step.to;
        }
        assert.ok(offerStates.includes(state) && state !== 'open');
      }),
    );
  });
});
