import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createDispatching, driver, ops, type Dispatching } from './dispatch-fixture.ts';

describe('assignments by hand', () => {
  let fixture: Dispatching;
  before(async () => {
    fixture = await createDispatching();
  });
  after(() => fixture.stop());
  beforeEach(() => fixture.reset());

  const stateOf = async (orderId: string): Promise<unknown[]> => {
    const { status, driver_id, hold_reason } = await fixture.assignment(orderId);
    return [status, driver_id, hold_reason];
  };
  const unassigned = (orderId: string): unknown[] =>
    fixture.sentFor(orderId, 'driver.unassigned').map(({ data }) => [data['driverId'], data['reason']]);

  it('give an order to a driver, whatever was offered', async () => {
    await fixture.addDriver('asked', 100, { autoAccept: false });
    await fixture.addDriver('chosen', 90_000, { onShift: false });
    const orderId = await fixture.schedule();
    const [offer] = await fixture.offers(orderId);
    assert.ok(offer !== undefined);
    const reply = await fixture.byHand('assign', orderId, { driverId: 'chosen' });
    assert.deepEqual([reply.status, reply.body['status'], reply.body['driverId']], [200, 'assigned', 'chosen']);
    assert.equal(fixture.sentFor(orderId, 'driver.assigned').at(-1)?.data['by'], 'ops');
    const late = await fixture.accept(offer);
    assert.deepEqual([late.code, late.body['because']], ['OFFER_WITHDRAWN', 'assigned_by_ops']);
    assert.equal((await fixture.byHand('assign', orderId, { driverId: 'chosen' })).status, 200);
    assert.equal(fixture.sentFor(orderId, 'driver.assigned').length, 1);
    assert.equal((await fixture.byHand('assign', orderId, { driverId: 'asked' })).code, 'ASSIGNMENT_STATE');
    const [wait] = fixture.running.recorded.observed;
    assert.deepEqual(wait?.labels, { by: 'ops' });
  });

  it('refuse a driver who is not approved, unknown, or full unless forced', async () => {
    await fixture.addDriver('suspended', 100, { status: 'suspended', onShift: false });
    await fixture.addDriver('small', 100, { capacityParcels: 1 });
    const orderId = await fixture.schedule({ parcels: 4 });
    const assign = (driverId: string, force = false) => fixture.byHand('assign', orderId, { driverId, force });
    assert.equal((await assign('suspended')).code, 'DRIVER_NOT_AVAILABLE');
    assert.equal((await assign('nobody')).code, 'DRIVER_NOT_FOUND');
    assert.equal((await assign('small')).code, 'DRIVER_FULL');
    assert.equal((await assign('small', true)).status, 200);
    assert.equal((await fixture.byHand('hold', 'no-order', { reason: 'x' })).code, 'ASSIGNMENT_NOT_FOUND');
  });

  it('give an order from one driver to another, with one event for each', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule();
    await fixture.addDriver('d2', 100);
    assert.equal((await fixture.byHand('reassign', orderId, { driverId: 'd2' })).body['driverId'], 'd2');
    assert.deepEqual(unassigned(orderId), [['d1', 'reassigned']]);
    const sequences = [
      ...fixture.sentFor(orderId, 'driver.assigned'),
      ...fixture.sentFor(orderId, 'driver.unassigned'),
    ];
    assert.deepEqual(
      sequences.map(({ data }) => data['sequence']),
      [1, 3, 2],
    );
    const waiting = await fixture.schedule({ pickup: { lat: -48, lon: 11 } });
    assert.equal((await fixture.byHand('reassign', waiting, { driverId: 'd2' })).code, 'ASSIGNMENT_STATE');
  });

  it('hold an order, with its driver or without, until it is released', async () => {
    await fixture.addDriver('d1', 100, { autoAccept: false });
    const orderId = await fixture.schedule();
    await fixture.byHand('hold', orderId, { reason: 'address unclear' });
    assert.deepEqual(await stateOf(orderId), ['held', null, 'address unclear']);
    assert.equal((await fixture.byHand('hold', orderId, { reason: 'again' })).status, 200);
    await fixture.tryAgain(orderId);
    assert.deepEqual(
      (await fixture.offers(orderId)).map(({ state }) => state),
      ['withdrawn'],
    );
    await fixture.byHand('release', orderId);
    await fixture.tryAgain(orderId);
    const open = (await fixture.offers(orderId)).find(({ state }) => state === 'open');
    assert.ok(open !== undefined);
    await fixture.accept(open);
    await fixture.byHand('hold', orderId, { reason: 'customer called' });
    assert.deepEqual(await stateOf(orderId), ['held', null, 'customer called']);
    assert.deepEqual(unassigned(orderId), [['d1', 'withdrawn']]);
    const story = await fixture.running.request('GET /drivers/assignments/{orderId}', {
      principal: ops,
      params: { orderId },
    });
    assert.deepEqual(
      (story.body['history'] as { step: string; byId: string }[]).map(({ step, byId }) => `${step} by ${byId}`),
      ['held by o1', 'released by o1', 'assigned by d1', 'unassigned by o1'],
    );
  });

  it('release an order from its driver, who is not asked again', async () => {
    await fixture.addDriver('d1', 100);
    await fixture.addDriver('d2', 9000);
    const orderId = await fixture.schedule();
    await fixture.byHand('release', orderId, { reason: 'wrong vehicle' });
    await fixture.tryAgain(orderId);
    assert.deepEqual(await stateOf(orderId), ['accepted', 'd2', null]);
    const ended = await fixture.schedule();
    await fixture.event('order.cancelled', ended);
    assert.equal((await fixture.byHand('release', ended)).code, 'ASSIGNMENT_STATE');
  });

  it('take nothing from a driver who has the parcels', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule();
    await fixture.event('order.picked_up', orderId, { driverId: 'd1' });
    await fixture.addDriver('d2', 100);
    for (const [verb, body] of [
      ['reassign', { driverId: 'd2' }],
      ['hold', { reason: 'x' }],
      ['release', {}],
    ] as const) {
      assert.equal((await fixture.byHand(verb, orderId, body)).code, 'ASSIGNMENT_PICKED_UP', verb);
    }
  });

  it('let a driver give back its own order alone', async () => {
    await fixture.addDriver('d1', 100);
    const orderId = await fixture.schedule();
    const giveBack = (id: string) =>
      fixture.running.request('POST /drivers/assignments/{orderId}/give-back', {
        principal: driver(id),
        params: { orderId },
        body: { reason: 'flat tyre' },
      });
    assert.equal((await giveBack('d2')).code, 'ASSIGNMENT_NOT_FOUND');
    assert.equal((await giveBack('d1')).body['status'], 'waiting');
    assert.deepEqual(unassigned(orderId), [['d1', 'gave_back']]);
    await fixture.tryAgain(orderId);
    assert.deepEqual(await stateOf(orderId), ['waiting', null, null]);
    assert.equal(fixture.sentFor(orderId, 'driver.unavailable').length, 1);
  });

  it('refuse a change of what has changed meanwhile', async () => {
    const orderId = await fixture.schedule();
    const read = () =>
      fixture.running.request('GET /drivers/assignments/{orderId}', { principal: ops, params: { orderId } });
    const etag = (await read()).headers?.['etag'] ?? '';
    const first = await fixture.byHand('hold', orderId, { reason: 'a' }, { 'if-match': etag });
    assert.equal(first.status, 200);
    assert.notEqual(first.headers?.['etag'], etag);
    const stale = await fixture.byHand('release', orderId, {}, { 'if-match': etag });
    assert.deepEqual([stale.status, stale.code], [412, 'ASSIGNMENT_CHANGED']);
    const now = await fixture.byHand('release', orderId, {}, { 'if-match': `"0", ${first.headers?.['etag']}` });
    assert.equal(now.status, 200);
  });

  it('are listed by status page by page, and by driver', async () => {
    await fixture.addDriver('d1', 100);
    const far = { lat: -48, lon: 11 };
    const waiting = [await fixture.schedule({ pickup: far }), await fixture.schedule({ pickup: far })];
    const mine = await fixture.schedule();
    const list = (query: object) =>
      fixture.running.request('GET /drivers/assignments', { principal: ops, query: { status: 'waiting', ...query } });
    const first = await list({ limit: 1 });
    const second = await list({ limit: 1, cursor: first.body['nextCursor'] });
    const ids = [first, second].flatMap(({ body }) => body['assignments'] as { orderId: string }[]);
    assert.deepEqual(
      ids.map(({ orderId }) => orderId),
      waiting.toReversed(),
    );
    assert.equal(second.body['nextCursor'], null);
    assert.equal((await list({ cursor: 'x' })).code, 'DRIVER_CURSOR_INVALID');
    const own = await fixture.running.request('GET /drivers/{driverId}/assignments', {
      principal: driver('d1'),
      params: { driverId: 'd1' },
    });
    assert.deepEqual(
      (own.body['assignments'] as { orderId: string }[]).map(({ orderId }) => orderId),
      [mine],
    );
  });
});
