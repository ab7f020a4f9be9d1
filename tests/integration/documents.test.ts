import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { toJpeg } from '../plugins/orders/files.ts';
import type { Api } from '../support/api-client.ts';
import { book, placeOf } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

interface Document {
  readonly documentId: string;
  readonly sha256: string;
  readonly content: string;
  readonly width: number;
}

describe('a label of an order', () => {
  let platform: TestPlatform;
  let customer: Api;
  let documents: string;
  before(async () => {
    platform = await startPlatform({ config: { plugins: ['orders'], pluginRestartDelayMs: 2 } });
    await platform.reached('orders', 'ready');
    customer = await platform.as('customer', 'customer-1');
    const { orderId } = await book(customer, placeOf(3));
    documents = `/orders/${orderId}/documents`;
  });
  after(() => platform?.stop());

  const upload = (raw: Uint8Array<ArrayBuffer>, type = 'image/jpeg') =>
    customer.request<Document & { code?: string }>('POST', `${documents}?kind=label`, {
      raw,
      headers: { 'content-type': type },
    });
  const list = async (): Promise<readonly Document[]> =>
    (await customer.ok<{ documents: Document[] }>('GET', documents)).documents;

  it('larger than a frame is kept and comes back as it was', async () => {
    const file = toJpeg(3000, 2000, 4_500_000);
    assert.ok(file.length > platform.config.pluginFrameMaxBytes);
    const { status, body } = await upload(file);
    assert.equal(status, 201);
    const response = await fetch(`${platform.app.addresses.api}${body.content}`, {
      headers: { authorization: `Bearer ${customer.token}` },
    });
    assert.ok(file.equals(Buffer.from(await response.arrayBuffer())));
    assert.equal(response.headers.get('content-type'), 'image/jpeg');
    assert.equal(response.headers.get('content-disposition'), `attachment; filename="label-${body.documentId}.jpg"`);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    const before = await customer.request('GET', body.content, { headers: { authorization: 'Bearer wrong' } });
    assert.equal(before.status, 401);
  });

  it('is refused when it is too large, or not what it is said to be', async () => {
    const large = await upload(toJpeg(800, 600, 5_300_000));
    assert.deepEqual([large.status, large.body.code], [413, 'BODY_TOO_LARGE']);
    const other = await upload(toJpeg(), 'image/png');
    assert.deepEqual([other.status, other.body.code], [415, 'ORDER_DOCUMENT_TYPE_MISMATCH']);
    const unknown = await upload(toJpeg(), 'image/gif');
    assert.deepEqual([unknown.status, unknown.body.code], [415, 'UNSUPPORTED_MEDIA_TYPE']);
    assert.equal((await list()).length, 1);
  });

  it('that the plugin is killed in the middle of is there once when it is sent again, and not before', async () => {
    const file = toJpeg(800, 600, 300_000);
    const bytes = (): Promise<number> => platform.sample('returnit_http_upload_bytes_total', { plugin: 'orders' });
    const before = await bytes();
    const sent = request(`${platform.app.addresses.api}${documents}?kind=label`, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${customer.token}`,
        'content-type': 'image/jpeg',
        'content-length': file.length,
      },
    });
    sent.on('error', () => undefined);
    sent.write(file.subarray(0, 200_000));
    await until('the plugin reads it', async () => (await bytes()) === before + 200_000);
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    await platform.kill('orders');
    assert.equal((await answered)[0].statusCode, 503);
    sent.destroy();
    await platform.reached('orders', 'ready');
    assert.equal((await list()).length, 1);
    assert.equal((await upload(file)).status, 201);
    assert.equal((await upload(file)).status, 200);
    assert.equal((await list()).length, 2);
  });
});
