import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/orders/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import { toBooking } from './booking-fixture.ts';
import { toJpeg, toPdf, toPng, toWebp } from './files.ts';

const customer: Principal = { id: 'c1', role: 'customer' };
const partner: Principal = { id: 'p1', role: 'partner' };
const driver: Principal = { id: 'd1', role: 'driver' };
const ops: Principal = { id: 'o1', role: 'ops' };
const strangers: readonly Principal[] = [
  { id: 'c2', role: 'customer' },
  { id: 'p2', role: 'partner' },
];

describe('documents of an order', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate orders cascade');
    running = await start();
  });

  const start = (env: Readonly<Record<string, string>> = {}): Promise<RunningPlugin> => runPlugin(plugin, data.db, env);
  const book = async (): Promise<string> => {
    const { body } = await running.request('POST /orders', {
      principal: partner,
      body: toBooking({ customerId: 'c1' }),
    });
    return String(body['orderId']);
  };
  const to = async (orderId: string, ...verbs: string[]): Promise<void> => {
    await running.deliver('payment.authorised', { orderId });
    await running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 1, sequence: 1 });
    for (const verb of verbs) {
      const answer = await running.request(`POST /orders/{orderId}/${verb}`, {
        principal: driver,
        params: { orderId },
      });
      assert.equal(answer.status, 200, verb);
    }
  };
  const upload = (principal: Principal, orderId: string, body: Uint8Array, more: Upload = {}): Promise<Reply> =>
    running.request('POST /orders/{orderId}/documents', {
      principal,
      params: { orderId },
      query: { kind: more.kind ?? 'label' },
      body,
      headers: { 'content-type': more.type ?? 'application/pdf' },
    });
  const list = async (principal: Principal, orderId: string): Promise<Record<string, unknown>[]> => {
    const { body } = await running.request('GET /orders/{orderId}/documents', { principal, params: { orderId } });
    return body['documents'] as Record<string, unknown>[];
  };
  const content = (principal: Principal, orderId: string, documentId: unknown): Promise<Reply> =>
    running.request('GET /orders/{orderId}/documents/{documentId}/content', {
      principal,
      params: { orderId, documentId },
    });
  const remove = (principal: Principal, orderId: string, documentId: unknown): Promise<Reply> =>
    running.request('DELETE /orders/{orderId}/documents/{documentId}', { principal, params: { orderId, documentId } });

  interface Upload {
    readonly kind?: string;
    readonly type?: string;
  }

  it('are kept as they are, with what is known of them, for everybody who has to do with the order', async () => {
    const orderId = await book();
    await to(orderId);
    const file = Buffer.concat([toJpeg(1200, 900, 700_000)]);
    const stored = await upload(customer, orderId, file, { kind: 'qr', type: 'image/jpeg' });
    assert.equal(stored.status, 201);
    const { documentId, uploadedAt, ...known } = stored.body;
    assert.match(String(uploadedAt), /Z$/);
    const path = `/orders/${orderId}/documents/${String(documentId)}`;
    assert.equal(stored.headers?.['location'], path);
    assert.deepEqual(known, {
      orderId,
      kind: 'qr',
      stage: null,
      attempt: 1,
      contentType: 'image/jpeg',
      bytes: file.length,
      width: 1200,
      height: 900,
      sha256: createHash('sha256').update(file).digest('hex'),
      uploadedBy: { kind: 'customer', id: 'c1' },
      content: `${path}/content`,
    });
    for (const principal of [customer, partner, driver, ops]) {
      assert.deepEqual(await list(principal, orderId), [stored.body], principal.role);
      const sent = await content(principal, orderId, documentId);
      assert.ok(sent.bytes?.equals(file), principal.role);
      assert.equal(sent.headers?.['content-disposition'], `attachment; filename="qr-${String(documentId)}.jpg"`);
      const one = await running.request('GET /orders/{orderId}/documents/{documentId}', {
        principal,
        params: { orderId, documentId },
      });
      assert.deepEqual(one.body, stored.body);
    }
    assert.equal(running.counted('returnit_orders_documents_total', { kind: 'qr', outcome: 'stored' }), 1);
    assert.equal(running.counted('returnit_orders_document_bytes_total', { kind: 'qr' }), file.length);
  });

  it('do not exist for others', async () => {
    const orderId = await book();
    const { body } = await upload(partner, orderId, toPdf());
    for (const principal of strangers) {
      assert.equal((await upload(principal, orderId, toPdf('mine'))).code, 'ORDER_NOT_FOUND');
      assert.equal((await content(principal, orderId, body['documentId'])).code, 'ORDER_NOT_FOUND');
      assert.equal((await remove(principal, orderId, body['documentId'])).code, 'ORDER_NOT_FOUND');
      const listed = await running.request('GET /orders/{orderId}/documents', { principal, params: { orderId } });
      assert.equal(listed.code, 'ORDER_NOT_FOUND');
    }
    const other = await book();
    assert.equal((await content(partner, other, body['documentId'])).code, 'ORDER_DOCUMENT_NOT_FOUND');
    assert.equal((await remove(partner, other, body['documentId'])).code, 'ORDER_DOCUMENT_NOT_FOUND');
  });

  it('are the same when they are sent again, also at the same moment', async () => {
    const orderId = await book();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => upload(customer, orderId, toPng(), { type: 'image/png' })),
    );
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    assert.equal(answers.filter(({ status }) => status === 200).length, 4);
    assert.equal((await list(customer, orderId)).length, 1);
    assert.equal((await upload(customer, orderId, toPng(), { type: 'image/png', kind: 'qr' })).status, 201);
  });

  it('are what is in them: neither what they are said to be nor anything else is taken', async () => {
    const orderId = await book();
    const mismatch = await upload(customer, orderId, toWebp(), { type: 'image/png' });
    assert.deepEqual(
      [mismatch.status, mismatch.code, mismatch.body['found']],
      [415, 'ORDER_DOCUMENT_TYPE_MISMATCH', 'image/webp'],
    );
    assert.match(String(mismatch.body['detail']), /said to be image\/png, and it is image\/webp/);
    const page = await upload(customer, orderId, Buffer.from('<html><script>'), { type: 'image/png' });
    assert.deepEqual([page.status, page.code, page.body['found']], [422, 'ORDER_DOCUMENT_INVALID', 'a web page']);
    const half = await upload(customer, orderId, toPdf().subarray(0, 50));
    assert.deepEqual([half.status, half.body['found']], [422, 'application/pdf']);
    assert.match(String(half.body['detail']), /it has no end; it may not have arrived whole/);
    assert.deepEqual(await list(customer, orderId), []);
    assert.equal(running.counted('returnit_orders_documents_total', { kind: 'label', outcome: 'refused' }), 3);
  });

  it('can be deleted, with what is in them, until the parcels are picked up', async () => {
    const orderId = await book();
    const first = await upload(customer, orderId, toPdf('first'));
    assert.equal((await remove(partner, orderId, first.body['documentId'])).status, 204);
    assert.equal((await content(customer, orderId, first.body['documentId'])).code, 'ORDER_DOCUMENT_NOT_FOUND');
    assert.deepEqual(await data.sql('select from order_document_parts'), []);
    const second = await upload(customer, orderId, toPdf('second'));
    await to(orderId, 'start', 'pickup');
    const late = await remove(customer, orderId, second.body['documentId']);
    assert.deepEqual([late.status, late.code], [409, 'ORDER_STATE_CONFLICT']);
    assert.equal((await upload(customer, orderId, toPdf('third'))).code, 'ORDER_STATE_CONFLICT');
    assert.equal((await upload(customer, orderId, toPdf('second'))).status, 200);
    assert.equal((await content(customer, orderId, second.body['documentId'])).status, 200);
    assert.equal(running.counted('returnit_orders_documents_total', { kind: 'label', outcome: 'deleted' }), 1);
  });

  it('are at most ORDERS_DOCUMENTS_MAX of an order, however many are sent at once', async () => {
    running = await start({ ORDERS_DOCUMENTS_MAX: '3' });
    const orderId = await book();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => upload(customer, orderId, toPdf(`label ${index}`))),
    );
    assert.equal(answers.filter(({ status }) => status === 201).length, 3);
    for (const { code } of answers.filter(({ status }) => status !== 201)) assert.equal(code, 'ORDER_DOCUMENTS_FULL');
  });

  it('have at most ORDERS_DOCUMENTS_MAX_BYTES together', async () => {
    running = await start({ ORDERS_DOCUMENTS_MAX_BYTES: '2500' });
    const orderId = await book();
    const sent = { type: 'image/jpeg' };
    assert.equal((await upload(customer, orderId, toJpeg(10, 10, 1000), sent)).status, 201);
    assert.equal((await upload(customer, orderId, toJpeg(10, 10, 1001), sent)).status, 201);
    const refused = await upload(customer, orderId, toJpeg(10, 10, 1002), sent);
    assert.deepEqual([refused.status, refused.code], [409, 'ORDER_DOCUMENTS_FULL']);
    assert.match(String(refused.body['detail']), /bytes together, 2500 at most/);
  });

  it('cannot be changed, whoever tries', async () => {
    const orderId = await book();
    await upload(customer, orderId, toPdf());
    await assert.rejects(data.sql(`update order_documents set kind = 'qr'`), /cannot be changed/);
  });
});
