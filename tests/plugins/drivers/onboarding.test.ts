import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Principal } from '#plugin-api';
import { lackingDocuments } from '../../../plugins/drivers/document.ts';
import { step, type WorkAction, type Working } from '../../../plugins/drivers/shift.ts';
import type { Reply } from '../support/plugin-context.ts';
import { createDispatching, driver, ops, type Dispatching } from './dispatch-fixture.ts';

const dayMs = 86_400_000;
const dayIn = (days: number): string => new Date(Date.now() + days * dayMs).toISOString().slice(0, 10);

describe('onboarding', () => {
  let fixture: Dispatching;
  before(async () => {
    fixture = await createDispatching();
  });
  after(() => fixture.stop());
  beforeEach(() => fixture.reset({ DRIVERS_DOCUMENTS_REQUIRED: 'licence, insurance' }));

  const request = (route: string, principal: Principal, rest: object = {}): Promise<Reply> =>
    fixture.running.request(route, { principal, params: { driverId: 'd1' }, ...rest });
  const register = (principal: Principal, body: object = {}): Promise<Reply> =>
    request('POST /drivers', principal, { body: { name: 'Kim', vehicle: 'van', ...body } });
  const approve = (): Promise<Reply> => request('POST /drivers/{driverId}/approve', ops);
  const suspend = (): Promise<Reply> =>
    request('POST /drivers/{driverId}/suspend', ops, { body: { reason: 'complaint' } });
  const put = (principal: Principal, kind: string, expiresOn: string): Promise<Reply> =>
    request('PUT /drivers/{driverId}/documents/{kind}', principal, {
      params: { driverId: 'd1', kind },
      body: { number: 'B-123', expiresOn },
    });
  const published = (name: string): unknown[] => fixture.data.find(name).map(({ data }) => data);

  it('takes a driver from its application through its documents to its approval', async () => {
    const applied = await register(driver('d1'));
    assert.deepEqual([applied.status, applied.body['driverId'], applied.body['status']], [201, 'd1', 'applied']);
    const shift = await request('POST /drivers/{driverId}/shift', driver('d1'), { body: { onShift: true } });
    assert.equal(shift.code, 'DRIVER_NOT_APPROVED');
    const lacking = await approve();
    assert.deepEqual([lacking.code, lacking.body['lacking']], ['DRIVER_DOCUMENTS_LACKING', ['licence', 'insurance']]);
    assert.equal((await put(driver('d1'), 'licence', dayIn(100))).status, 200);
    assert.equal((await put(driver('d2'), 'licence', dayIn(100))).code, 'DRIVER_NOT_FOUND');
    await put(ops, 'insurance', dayIn(-1));
    assert.deepEqual((await approve()).body['lacking'], ['insurance']);
    await put(ops, 'insurance', dayIn(0));
    assert.equal((await approve()).body['status'], 'approved');
    assert.equal((await approve()).status, 200);
    assert.deepEqual(published('driver.approved'), [{ driverId: 'd1' }]);
    // From now on a driver's own word is not enough.
    assert.equal((await put(driver('d1'), 'licence', dayIn(9999))).code, 'DRIVER_DOCUMENTS_CLOSED');
    const documents = await request('GET /drivers/{driverId}/documents', driver('d1'));
    assert.equal((documents.body['documents'] as unknown[]).length, 2);
    const story = await request('GET /drivers/{driverId}', driver('d1'));
    assert.deepEqual(
      (story.body['history'] as { status: string; byKind: string }[]).map(({ status, byKind }) => [status, byKind]),
      [
        ['approved', 'ops'],
        ['applied', 'driver'],
      ],
    );
  });

  it('lets nobody write over a document that was changed meanwhile', async () => {
    await register(driver('d1'));
    const record = (principal: Principal, number: string, version: number): Promise<Reply> =>
      request('PUT /drivers/{driverId}/documents/{kind}', principal, {
        params: { driverId: 'd1', kind: 'licence' },
        body: { number, expiresOn: dayIn(100) },
        headers: { 'if-match': `"${version}"` },
      });
    const first = await record(driver('d1'), 'A', 0);
    assert.deepEqual([first.status, first.body['version'], first.headers?.['etag']], [200, 1, '"1"']);
    const both = await Promise.all([record(driver('d1'), 'B', 1), record(ops, 'C', 1)]);
    assert.deepEqual(both.map(({ status, code }) => code ?? String(status)).toSorted(), [
      '200',
      'DRIVER_DOCUMENT_CHANGED',
    ]);
    const { body } = await request('GET /drivers/{driverId}/documents', ops);
    const [document] = body['documents'] as { number: string; version: number }[];
    assert.deepEqual([document?.version, document?.number], [2, both[0]?.status === 200 ? 'B' : 'C']);
    assert.equal((await record(ops, 'D', 0)).code, 'DRIVER_DOCUMENT_CHANGED');
  });

  it('approves at once whom ops registers with the documents, and lets drivers say nothing that is for ops', async () => {
    const documents = [
      { kind: 'licence', number: '1', expiresOn: dayIn(1) },
      { kind: 'insurance', number: '2', expiresOn: dayIn(1) },
    ];
    assert.equal((await register(ops, { driverId: 'complete', documents })).body['status'], 'approved');
    assert.equal((await register(ops, { driverId: 'incomplete' })).body['status'], 'applied');
    assert.equal((await register(driver('d1'), { autoAccept: true })).code, 'DRIVER_FIELD_FORBIDDEN');
    assert.equal((await register(driver('d1'), { driverId: 'd2' })).code, 'DRIVER_NOT_FOUND');
    assert.equal((await register(driver('no/topic'))).code, 'DRIVER_ID_RESERVED');
    assert.equal((await register(driver('complete'))).code, 'DRIVER_EXISTS');
  });

  it('suspends in the middle of work: offers withdrawn, orders to others, parcels told of', async () => {
    await fixture.reset();
    await fixture.addDriver('d1', 100);
    const [open, carried] = [await fixture.schedule(), await fixture.schedule()];
    await fixture.event('order.picked_up', carried, { driverId: 'd1' });
    await fixture.data.sql('update drivers set auto_accept = false');
    const asked = await fixture.schedule();
    const [offer] = await fixture.offers(asked);
    assert.ok(offer !== undefined);
    const suspended = await suspend();
    assert.deepEqual([suspended.body['status'], suspended.body['onShift']], ['suspended', false]);
    assert.deepEqual(published('driver.suspended'), [{ driverId: 'd1', reason: 'complaint', carrying: [carried] }]);
    const taken = fixture.data.find('driver.unassigned').map(({ data }) => [data['orderId'], data['reason']]);
    assert.deepEqual(taken, [[open, 'suspended']]);
    const late = await fixture.accept(offer);
    assert.deepEqual([late.code, late.body['because']], ['DRIVER_NOT_AVAILABLE', 'suspended']);
    await fixture.addDriver('d2', 9000);
    for (const orderId of [open, asked]) {
      await fixture.tryAgain(orderId);
      assert.equal((await fixture.assignment(orderId))['driver_id'], 'd2');
    }
    assert.equal((await fixture.assignment(carried))['driver_id'], 'd1');
    assert.equal((await suspend()).status, 200);
    assert.equal(fixture.data.find('driver.suspended').length, 1);
  });

  it('warns once of a document that expires soon, and suspends when a required one has expired', async () => {
    const documents = [
      { kind: 'licence', number: '1', expiresOn: dayIn(29) },
      { kind: 'insurance', number: '2', expiresOn: dayIn(31) },
      { kind: 'identity', number: '3', expiresOn: dayIn(0) },
    ];
    await register(ops, { driverId: 'd1', documents });
    await fixture.running.work('drivers.daily', {});
    await fixture.running.work('drivers.daily', {});
    const warned = published('driver.document_expiring') as { kind: string; daysLeft: number }[];
    assert.deepEqual(warned.map(({ kind, daysLeft }) => `${kind} ${daysLeft}`).toSorted(), [
      'identity 0',
      'licence 29',
    ]);
    assert.equal(fixture.running.counted('returnit_documents_total', { outcome: 'expiring' }), 2);
    // Not required, so nothing comes of it.
    await put(ops, 'identity', dayIn(-3));
    await fixture.running.work('drivers.daily', {});
    assert.equal((await request('GET /drivers/{driverId}', ops)).body['status'], 'approved');
    await put(ops, 'licence', dayIn(-1));
    await fixture.running.work('drivers.daily', {});
    const { body } = await request('GET /drivers/{driverId}', ops);
    assert.deepEqual([body['status'], body['statusReason']], ['suspended', `licence expired on ${dayIn(-1)}`]);
    assert.equal(fixture.running.counted('returnit_documents_total', { outcome: 'expired' }), 1);
    // A new one is warned of again when its time comes.
    await put(ops, 'licence', dayIn(5));
    await approve();
    await fixture.running.work('drivers.daily', {});
    assert.equal(published('driver.document_expiring').length, 3);
  });

  it('records shifts and breaks', async () => {
    await fixture.reset();
    await register(ops, { driverId: 'd1' });
    const post = (path: string, body: object): Promise<Reply> =>
      request(`POST /drivers/{driverId}/${path}`, driver('d1'), { body });
    assert.equal((await post('break', { onBreak: true })).code, 'SHIFT_NOT_STARTED');
    await post('shift', { onShift: true });
    await post('shift', { onShift: true });
    await post('break', { onBreak: true });
    assert.equal((await post('break', { onBreak: false })).body['onBreak'], false);
    await post('break', { onBreak: true });
    const off = await post('shift', { onShift: false });
    assert.deepEqual([off.body['onShift'], off.body['onBreak']], [false, false]);
    const list = (principal: Principal, query: object = {}): Promise<Reply> =>
      request('GET /drivers/{driverId}/shifts', principal, { query });
    assert.equal((await list(driver('d2'))).code, 'DRIVER_NOT_FOUND');
    const kinds: string[] = [];
    for (let cursor: unknown = undefined; cursor !== null;) {
      const { body } = await list(ops, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      for (const { kind, endedAt } of body['shifts'] as { kind: string; endedAt: string | null }[]) {
        assert.notEqual(endedAt, null);
        kinds.push(kind);
      }
      cursor = body['nextCursor'];
    }
    assert.deepEqual(kinds, ['break', 'break', 'shift']);
  });
});

describe('lackingDocuments()', () => {
  it('takes the last day of a document as valid', () => {
    const documents = [{ kind: 'licence', expiresOn: '2026-05-04' }] as const;
    assert.deepEqual(lackingDocuments(documents, ['licence'], '2026-05-04'), []);
    assert.deepEqual(lackingDocuments(documents, ['licence', 'insurance'], '2026-05-05'), ['licence', 'insurance']);
  });
});

describe('step()', () => {
  it('has no break without a shift, whatever is asked for', () => {
    const action = fc.constantFrom<WorkAction>('start_shift', 'end_shift', 'start_break', 'end_break');
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        let working: Working = 'off';
        for (const each of actions) {
          const next = step(working, each);
          if (next === undefined) assert.ok(working === 'off' && each.endsWith('break'));
          if (working === 'off' && next === 'on_break') assert.fail('a break off shift');
          if (next !== undefined) assert.equal(step(next, each), next);
          working = next ?? working;
        }
      }),
    );
  });
});
