import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/orders/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import { toBooking } from './booking-fixture.ts';
import { toJpeg, toPdf, toPng } from './files.ts';

const customer: Principal = { id: 'c1', role: 'customer' };
const driver: Principal = { id: 'd1', role: 'driver' };
const otherDriver: Principal = { id: 'd2', role: 'driver' };
const ops: Principal = { id: 'o1', role: 'ops' };

interface Booked {
  readonly orderId: string;
  readonly codes: readonly string[];
}

interface Stage {
  readonly stage: string;
  readonly required: readonly string[];
  readonly missing: readonly string[];
  readonly records: readonly Record<string, unknown>[];
  readonly documents: readonly Record<string, unknown>[];
}

describe('proofs of an order', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate orders cascade');
    await data.sql(`update proof_requirements set pickup = '{}', drop_off = '{}'`);
    running = await runPlugin(plugin, data.db);
  });

  const require = (destinationKind: string, pickup: string[], dropOff: string[] = []): Promise<Reply> =>
    running.request('PUT /orders/proof-requirements/{destinationKind}', {
      principal: ops,
      params: { destinationKind },
      body: { pickup, dropOff },
    });
  async function book(kind: 'store' | 'carrier' | 'warehouse' = 'store'): Promise<Booked> {
    const { destination } = toBooking();
    const { body } = await running.request('POST /orders', {
      principal: customer,
      body: toBooking({ items: [{ description: 'Shoes', quantity: 2 }], destination: { ...destination, kind } }),
    });
    const orderId = String(body['orderId']);
    await running.deliver('payment.authorised', { orderId });
    await running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 1, sequence: 1 });
    return { orderId, codes: (body['parcels'] as { code: string }[]).map(({ code }) => code) };
  }
  const step = (orderId: string, verb: string, principal = driver): Promise<Reply> =>
    running.request(`POST /orders/{orderId}/${verb}`, { principal, params: { orderId } });
  const to = async (orderId: string, ...verbs: string[]): Promise<void> => {
    for (const verb of verbs) assert.equal((await step(orderId, verb)).status, 200, verb);
  };
  let clock = 0;
  const say = (orderId: string, proof: object, more: { principal?: Principal; stage?: string } = {}): Promise<Reply> =>
    running.request('POST /orders/{orderId}/proofs/{stage}', {
      principal: more.principal ?? driver,
      params: { orderId, stage: more.stage ?? 'pickup' },
      body: { recordedAt: new Date(Date.now() + (clock += 1)).toISOString(), ...proof },
    });
  const send = (
    orderId: string,
    file: Uint8Array,
    more: { name?: string; principal?: Principal; stage?: string; type?: string } = {},
  ): Promise<Reply> =>
    running.request(`POST /orders/{orderId}/proofs/{stage}/${more.name ?? 'photos'}`, {
      principal: more.principal ?? driver,
      params: { orderId, stage: more.stage ?? 'pickup' },
      body: file,
      headers: { 'content-type': more.type ?? 'image/jpeg' },
    });
  const read = async (principal: Principal, orderId: string): Promise<readonly Stage[]> => {
    const answer = await running.request('GET /orders/{orderId}/proofs', { principal, params: { orderId } });
    assert.equal(answer.status, 200);
    return answer.body['proofs'] as Stage[];
  };
  const position = { lat: 48.161, lon: 11.58, accuracyM: 8 };

  it('are not required unless ops says so', async () => {
    for (const kind of ['store', 'carrier', 'warehouse'] as const) {
      const { orderId } = await book(kind);
      await to(orderId, 'start', 'pickup', 'deliver', 'complete');
    }
  });

  it('are seen and downloaded by everybody who has to do with the order', async () => {
    const { orderId, codes } = await book();
    await to(orderId, 'start');
    const photo = toJpeg(1200, 900, 300_000);
    assert.equal((await send(orderId, photo)).status, 201);
    assert.equal((await send(orderId, toPng(300, 100), { name: 'signatures', type: 'image/png' })).status, 201);
    const said = await say(orderId, { position, scans: codes, signedBy: 'A. Customer', remark: 'at the door' });
    assert.equal(said.status, 201);
    for (const principal of [customer, driver, ops]) {
      const [pickup, dropOff] = await read(principal, orderId);
      assert.deepEqual(dropOff, { stage: 'dropOff', required: [], missing: [], records: [], documents: [] });
      const [record] = pickup?.records ?? [];
      assert.deepEqual(record?.['givenBy'], { kind: 'driver', id: 'd1' });
      assert.deepEqual(record?.['position'], { ...position, distanceM: 111 });
      assert.deepEqual(
        [record?.['scans'], record?.['signedBy'], record?.['remark']],
        [codes, 'A. Customer', 'at the door'],
      );
      assert.deepEqual(
        pickup?.documents.map(({ kind, stage }) => [kind, stage]),
        [
          ['photo', 'pickup'],
          ['signature', 'pickup'],
        ],
      );
      const documentId = pickup?.documents[0]?.['documentId'];
      const content = await running.request('GET /orders/{orderId}/documents/{documentId}/content', {
        principal,
        params: { orderId, documentId },
      });
      assert.ok(content.bytes?.equals(photo), 'as it was taken, not made smaller');
    }
    const { status } = await running.request('GET /orders/{orderId}/proofs', {
      principal: { id: 'c2', role: 'customer' },
      params: { orderId },
    });
    assert.equal(status, 404);
    assert.equal(running.counted('returnit_orders_proofs_total', { stage: 'pickup', outcome: 'stored' }), 1);
  });

  it('hold up the step that needs them until all are there, each kind for itself', async () => {
    await require('carrier', ['photo', 'signature', 'scan', 'position'], ['scan']);
    const { orderId, codes } = await book('carrier');
    await to(orderId, 'start');
    const left = async (): Promise<unknown> => {
      const refused = await step(orderId, 'pickup');
      assert.deepEqual([refused.status, refused.code], [409, 'ORDER_PROOF_MISSING']);
      assert.deepEqual((await read(driver, orderId))[0]?.missing, refused.body['missing']);
      return refused.body['missing'];
    };
    assert.deepEqual(await left(), ['photo', 'signature', 'scan', 'position']);
    await send(orderId, toJpeg());
    assert.deepEqual(await left(), ['signature', 'scan', 'position']);
    await send(orderId, toPng(300, 100), { name: 'signatures', type: 'image/png' });
    assert.deepEqual(await left(), ['scan', 'position']);
    await say(orderId, { scans: codes.slice(0, 1) });
    assert.deepEqual(await left(), ['scan', 'position'], 'a scan of each parcel');
    await say(orderId, { scans: codes.slice(1) });
    assert.deepEqual(await left(), ['position']);
    await say(orderId, { position });
    await to(orderId, 'pickup');
    assert.equal((await step(orderId, 'deliver')).code, 'ORDER_PROOF_MISSING', 'that of the pickup does not count');
    await say(orderId, { scans: codes }, { stage: 'drop-off' });
    await to(orderId, 'deliver', 'complete');
  });

  it('are required by the kind of the destination, as it was when the order was booked', async () => {
    const before = await book('store');
    await require('store', ['photo']);
    const { orderId } = await book('store');
    const carrier = await book('carrier');
    for (const each of [before, carrier]) await to(each.orderId, 'start', 'pickup');
    await to(orderId, 'start');
    assert.equal((await step(orderId, 'pickup')).code, 'ORDER_PROOF_MISSING');
  });

  it('of a try that failed prove nothing for the next', async () => {
    await require('store', ['photo', 'scan']);
    const { orderId, codes } = await book();
    await to(orderId, 'start');
    await send(orderId, toJpeg());
    await say(orderId, { scans: codes });
    const request = { principal: ops, params: { orderId } };
    const failed = await running.request('POST /orders/{orderId}/fail-pickup', {
      ...request,
      body: { reason: 'not_ready' },
    });
    assert.equal(failed.status, 200);
    const { pickupWindow } = toBooking();
    const again = await running.request('POST /orders/{orderId}/reschedule', { ...request, body: { pickupWindow } });
    assert.equal(again.body['attempt'], 2);
    await running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 2, sequence: 2 }, 'again');
    await to(orderId, 'start');
    assert.deepEqual((await step(orderId, 'pickup')).body['missing'], ['photo', 'scan']);
    assert.equal((await send(orderId, toJpeg())).status, 201, 'the same picture may be taken again');
    await say(orderId, { scans: codes });
    await to(orderId, 'pickup');
  });

  it('of a driver who gave the order back prove nothing for the next', async () => {
    await require('store', ['photo', 'position']);
    const { orderId } = await book();
    await to(orderId, 'start');
    await send(orderId, toJpeg());
    await say(orderId, { position });
    await running.deliver('driver.unassigned', {
      orderId,
      driverId: 'd1',
      attempt: 1,
      sequence: 2,
      reason: 'gave_back',
    });
    await running.deliver('driver.assigned', { orderId, driverId: 'd2', attempt: 1, sequence: 3 }, 'again');
    assert.equal((await step(orderId, 'start', otherDriver)).status, 200);
    const refused = await step(orderId, 'pickup', otherDriver);
    assert.deepEqual(refused.body['missing'], ['photo', 'position']);
    assert.equal((await send(orderId, toJpeg(800, 600, 1001))).code, 'ORDER_NOT_FOUND', 'it is not his any more');
    await send(orderId, toJpeg(800, 600, 1002), { principal: ops });
    await say(orderId, { position }, { principal: otherDriver });
    assert.equal((await step(orderId, 'pickup', otherDriver)).status, 200);
    assert.equal((await read(customer, orderId))[0]?.documents.length, 2, 'what was given stays to be seen');
  });

  it('are given while the driver is at the stop and until the order is over', async () => {
    const { orderId } = await book();
    assert.equal((await say(orderId, { position })).code, 'ORDER_STATE_CONFLICT');
    assert.equal((await send(orderId, toJpeg())).code, 'ORDER_STATE_CONFLICT');
    await to(orderId, 'start');
    assert.equal((await say(orderId, { position }, { stage: 'drop-off' })).code, 'ORDER_STATE_CONFLICT');
    await to(orderId, 'pickup');
    assert.equal((await send(orderId, toJpeg())).status, 201, 'the network was slow');
    const recordedAt = new Date().toISOString();
    assert.equal((await say(orderId, { position, recordedAt }, { stage: 'drop-off' })).status, 201);
    await to(orderId, 'deliver', 'complete');
    assert.equal((await say(orderId, { position }, { stage: 'drop-off' })).code, 'ORDER_STATE_CONFLICT');
    assert.equal((await send(orderId, toJpeg())).status, 200, 'the same again is the same');
    const again = await say(orderId, { position, recordedAt }, { stage: 'drop-off' });
    assert.equal(again.status, 200);
    assert.equal((again.body['records'] as unknown[]).length, 1);
  });

  it('must be possible', async () => {
    const { orderId, codes } = await book();
    const other = await book();
    await to(orderId, 'start');
    const invalid = async (proof: object, what: RegExp): Promise<void> => {
      const { code, body } = await say(orderId, proof);
      assert.equal(code, 'ORDER_PROOF_INVALID');
      assert.match(String(body['detail']), what);
    };
    await invalid({ scans: [codes[0], other.codes[0]] }, /must be parcels of this order: 'RP\w+' is none/);
    await invalid({ position, recordedAt: new Date(Date.now() + 600_000).toISOString() }, /in the future/);
    await invalid({ position, recordedAt: '2020-01-01T00:00:00Z' }, /before the order was booked/);
    assert.equal((await say(orderId, {})).code, 'VALIDATION_FAILED', 'with a time alone nothing is said');
  });

  it('by photo have a picture on which something can be seen, by signature a PNG', async () => {
    const { orderId } = await book();
    await to(orderId, 'start');
    const small = await send(orderId, toJpeg(500, 599));
    assert.deepEqual([small.status, small.code], [422, 'ORDER_DOCUMENT_INVALID']);
    assert.match(String(small.body['detail']), /500 × 599 pixels; it must have at least 300000/);
    assert.equal((await send(orderId, toPdf(), { type: 'application/pdf' })).code, 'ORDER_DOCUMENT_INVALID');
    const signature = await send(orderId, toJpeg(), { name: 'signatures' });
    assert.match(String(signature.body['detail']), /it is image\/jpeg; it must be image\/png/);
  });

  it('are bounded: files by ORDERS_PROOF_FILES_MAX, records by ORDERS_PROOF_RECORDS_MAX', async () => {
    running = await runPlugin(plugin, data.db, { ORDERS_PROOF_FILES_MAX: '2', ORDERS_PROOF_RECORDS_MAX: '2' });
    const { orderId } = await book();
    await to(orderId, 'start');
    const sent = await Promise.all([1, 2, 3, 4].map((seed) => send(orderId, toJpeg(800, 600, 1000 + seed))));
    assert.equal(sent.filter(({ status }) => status === 201).length, 2);
    assert.equal(sent.filter(({ code }) => code === 'ORDER_DOCUMENTS_FULL').length, 2);
    const said = await Promise.all(
      [1, 2, 3].map((metres) => say(orderId, { position: { ...position, accuracyM: metres } })),
    );
    assert.equal(said.filter(({ code }) => code === 'ORDER_DOCUMENTS_FULL').length, 1);
  });

  it('stay as they were given, whoever tries to change them', async () => {
    const { orderId } = await book();
    await to(orderId, 'start');
    await send(orderId, toJpeg());
    await say(orderId, { position });
    await assert.rejects(data.sql('update order_proofs set lat = 0'), /cannot be changed/);
    await assert.rejects(data.sql('delete from order_proofs'), /cannot be changed/);
    await assert.rejects(data.sql('delete from order_documents'), /cannot be changed/);
    const documentId = (await read(ops, orderId))[0]?.documents[0]?.['documentId'];
    const params = { orderId, documentId };
    const refused = await running.request('DELETE /orders/{orderId}/documents/{documentId}', {
      principal: ops,
      params,
    });
    assert.match(String(refused.body['detail']), /it proves what was done/);
  });
});
