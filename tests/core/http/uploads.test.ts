import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import type { Config } from '#core/config/settings.ts';
import { readSample } from '../../support/platform.ts';
import { until } from '../../support/until.ts';
import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';

const mebibyte = 1_048_576;
const type = 'image/png';

interface Upload extends FakePlugin {
  /** What it has of each body. */
  readonly received: Buffer[];
  readonly failures: string[];
}

describe('a file', () => {
  let fixture: HttpFixture;
  afterEach(() => fixture.stop());

  /** A plugin that reads what it is sent to the end, unless told to wait. */
  async function start(
    config: Partial<Config> = {},
    { bodyMaxBytes, before = async () => {} }: { bodyMaxBytes?: number; before?: () => Promise<void> } = {},
  ): Promise<Upload> {
    fixture = await startHttpFixture(config);
    const plugin = Object.assign(createFakePlugin(), { received: [] as Buffer[], failures: [] as string[] });
    plugin.handler = async ({ body }) => {
      await before();
      const pieces: Buffer[] = [];
      try {
        for (;;) {
          const { bytes, done } = await fixture.read(plugin, body);
          if (bytes !== undefined) pieces.push(Buffer.from(bytes, 'base64'));
          if (done) break;
        }
      } catch (error) {
        plugin.failures.push((error as { code: string }).code);
        throw error;
      }
      plugin.received.push(Buffer.concat(pieces));
      return { status: 200, body: { bytes: Buffer.concat(pieces).length } };
    };
    await fixture.route(plugin, {
      verb: 'post',
      path: '/files',
      roles: 'public',
      bodyAs: 'bytes',
      contentTypes: [type, 'application/pdf'],
      ...(bodyMaxBytes === undefined ? {} : { bodyMaxBytes }),
    });
    return plugin;
  }
  const post = (body: Uint8Array<ArrayBuffer> | ReadableStream, contentType = type): Promise<Response> =>
    fixture.request('/files', {
      method: 'POST',
      body,
      headers: { 'content-type': contentType },
      ...(body instanceof Uint8Array ? {} : { duplex: 'half' }),
    });
  const head = (length: string, contentType = type): string =>
    `POST /files HTTP/1.1\r\nhost: x\r\ncontent-type: ${contentType}\r\n${length}\r\n\r\n`;
  const ended = async (outcome: string, count = 1): Promise<void> => {
    await until(`${count} ended as ${outcome}`, async () => {
      const text = await fixture.metrics();
      const labels = { plugin: 'orders', outcome };
      return readSample(text, 'returnit_http_uploads_total', labels) === count;
    });
    assert.equal(readSample(await fixture.metrics(), 'returnit_http_uploads_open', { plugin: 'orders' }), 0);
  };
  const random = (bytes: number): Buffer<ArrayBuffer> => {
    const buffer = Buffer.alloc(bytes);
    for (let index = 0; index < bytes; index += 1) buffer[index] = (index * 2_654_435_761) >>> 13;
    return buffer;
  };

  it('larger than a frame is fetched in pieces, and is what was sent', async () => {
    const plugin = await start();
    const sent = random(6 * mebibyte);
    assert.deepEqual(await (await post(sent)).json(), { bytes: sent.length });
    assert.ok(plugin.received[0]?.equals(sent));
    assert.ok(sent.length > fixture.config.pluginFrameMaxBytes);
    await ended('complete');
    const text = await fixture.metrics();
    assert.equal(readSample(text, 'returnit_http_upload_bytes_total', { plugin: 'orders' }), sent.length);
    for (const other of ['client_gone', 'client_slow', 'too_large', 'unread', 'refused'])
      assert.match(text, new RegExp(`returnit_http_uploads_total\\{plugin="orders",outcome="${other}"\\} 0\n`));
  });

  it('may come without a length, and its pieces fit any frame', async () => {
    const plugin = await start({ pluginFrameMaxBytes: 1024 });
    const sent = random(5000);
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(sent.subarray(0, 1));
        controller.enqueue(sent.subarray(1));
        controller.close();
      },
    });
    assert.deepEqual(await (await post(body)).json(), { bytes: 5000 });
    assert.ok(plugin.received[0]?.equals(sent));
  });

  it('is held up at the client while the plugin does not read', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const plugin = await start({}, { before: () => released });
    const socket = await fixture.openSocket();
    const sent = 9 * mebibyte;
    socket.write(head(`content-length: ${sent}`));
    socket.write(random(sent));
    let written = -1;
    await until('nothing more is taken', async () => {
      const before = written;
      await fixture.metrics();
      written = socket.writableLength;
      return plugin.inputs.length === 1 && written === before;
    });
    const taken = readSample(await fixture.metrics(), 'returnit_http_upload_bytes_total', { plugin: 'orders' });
    assert.equal(taken, 0, 'the core has taken none of it');
    release();
    const [answer] = (await once(socket, 'data')) as [string];
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.equal(plugin.received[0]?.length, sent);
  });

  it('of a type that is not taken, compressed or missing is refused unread', async () => {
    const plugin = await start();
    const wrong = await post(random(3 * mebibyte), 'image/gif');
    assert.equal(wrong.headers.get('accept'), 'image/png, application/pdf');
    const problem = await problemOf(wrong);
    assert.deepEqual([problem.status, problem.code], [415, 'UNSUPPORTED_MEDIA_TYPE']);
    assert.match(problem.detail, /must be one of image\/png, application\/pdf: it is "image\/gif"/);
    const headers = { 'content-type': type, 'content-encoding': 'gzip' };
    assert.equal((await fixture.request('/files', { method: 'POST', body: 'x', headers })).status, 415);
    const missing = await problemOf(
      await fixture.request('/files', { method: 'POST', headers: { 'content-type': type } }),
    );
    assert.match(missing.errors?.[0]?.detail ?? '', /^is missing: it must be image\/png or application\/pdf/);
    assert.equal(plugin.inputs.length, 0);
  });

  it('takes a content type whatever its case and parameters', async () => {
    await start();
    assert.equal((await post(random(3), 'Image/PNG; name="a"')).status, 200);
  });

  it('above the limit of its route is refused, and the client reads why though it is still sending', async () => {
    const plugin = await start({}, { bodyMaxBytes: 1000 });
    const announced = await problemOf(await post(random(8 * mebibyte)));
    assert.deepEqual([announced.status, announced.code], [413, 'BODY_TOO_LARGE']);
    assert.match(announced.detail, /at most 1000 bytes/);
    assert.equal(plugin.inputs.length, 0);
    await ended('too_large');
    const chunk = `320\r\n${'x'.repeat(800)}\r\n`;
    assert.match(
      await fixture.raw(`${head('transfer-encoding: chunked')}${chunk}${chunk}`),
      /^HTTP\/1\.1 413 .*connection: close.*BODY_TOO_LARGE/is,
    );
    assert.deepEqual(plugin.failures, ['BODY_TOO_LARGE']);
    await ended('too_large', 2);
  });

  it('is never larger than HTTP_UPLOAD_MAX_BYTES, whatever its route says', async () => {
    await start({ httpUploadMaxBytes: 500 }, { bodyMaxBytes: 1000 });
    assert.match((await problemOf(await post(random(501)))).detail, /at most 500 bytes/);
    assert.equal((await post(random(500))).status, 200);
  });

  it('that stops coming is given up: 408, and the plugin is told', async () => {
    const plugin = await start({ httpBodyStallMs: 50 });
    const answer = await fixture.raw(`${head('content-length: 100')}half`);
    assert.match(answer, /^HTTP\/1\.1 408 .*connection: close.*nothing of it has come for 50 ms.*REQUEST_TIMEOUT/is);
    assert.deepEqual(plugin.failures, ['REQUEST_TIMEOUT']);
    await ended('client_slow');
  });

  it('that comes too slowly is given up at HTTP_REQUEST_TIMEOUT_MS', async () => {
    await start({ httpRequestTimeoutMs: 300 });
    const socket = await fixture.openSocket();
    socket.write(head('content-length: 100000'));
    const drip = setInterval(() => socket.write('x'), 20);
    const [answer] = (await once(socket, 'data')) as [string];
    clearInterval(drip);
    assert.match(answer, /^HTTP\/1\.1 408 .*it must arrive within 300 ms/is);
    await ended('client_slow');
  });

  it('whose client goes away ends in the plugin as well', async () => {
    const plugin = await start();
    const socket = await fixture.openSocket();
    socket.write(`${head('content-length: 100')}half`);
    await until('the plugin reads', () => plugin.inputs.length === 1);
    socket.destroy();
    await until('the plugin knows', () => plugin.failures.length === 1);
    assert.deepEqual(plugin.failures, ['CANCELLED']);
    await ended('client_gone');
  });

  it('that is longer than it says is cut there, and what follows is no request', async () => {
    const plugin = await start();
    const answer = await fixture.raw(`${head('content-length: 4')}filethat goes on\r\n\r\n`);
    assert.match(answer, /HTTP\/1\.1 400 .*MALFORMED_REQUEST/s);
    await ended('complete');
    assert.equal(String(plugin.received), 'file');
  });

  it('is answered by 503 when the plugin dies in the middle', async () => {
    const plugin = await start({}, { before: () => new Promise(() => undefined) });
    const answer = fixture.raw(`${head('content-length: 100')}half`);
    await until('the plugin has it', () => plugin.inputs.length === 1);
    plugin.die();
    assert.match(await answer, /^HTTP\/1\.1 503 .*PLUGIN_UNAVAILABLE/s);
    await ended('unread');
  });

  it('above HTTP_UPLOADS_PER_PLUGIN_MAX at once is refused, and taken when one has ended', async () => {
    const plugin = await start({ httpUploadsPerPluginMax: 1 });
    const socket = await fixture.openSocket();
    socket.write(`${head('content-length: 8')}half`);
    await until('the plugin has it', () => plugin.inputs.length === 1);
    const refused = await post(random(5));
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
    socket.write('half');
    await ended('complete');
    assert.equal((await post(random(5))).status, 200);
    await ended('refused');
  });

  it('cannot be read by another process, twice at once, or after its request', async () => {
    const plugin = await start();
    const stranger = createFakePlugin('drivers');
    let number: unknown;
    plugin.handler = async ({ body }) => {
      number = body;
      await assert.rejects(fixture.read(stranger, body), { code: 'INVALID_CALL' });
      const first = fixture.read(plugin, body);
      await assert.rejects(fixture.read(plugin, body), { code: 'INVALID_CALL' });
      await first;
      return { status: 200, body: {} };
    };
    assert.equal((await post(random(5))).status, 200);
    await until('it is closed', async () => {
      await assert.rejects(fixture.read(plugin, number), { code: 'INVALID_CALL' });
      return true;
    });
  });

  it('stands in the description of the API with its types and its limit', async () => {
    await start({}, { bodyMaxBytes: 1000 });
    const { paths } = (await (await fixture.request('/openapi.json')).json()) as {
      paths: Record<string, { post: { requestBody: object; responses: object } }>;
    };
    const schema = { type: 'string', format: 'binary' };
    assert.deepEqual(paths['/files']?.post.requestBody, {
      required: true,
      description: 'A file of at most 1000 bytes',
      content: { [type]: { schema }, 'application/pdf': { schema } },
    });
    for (const status of ['408', '413', '415']) assert.ok(status in (paths['/files']?.post.responses ?? {}), status);
  });

  it('needs content types, and takes no schema', async () => {
    const plugin = await start();
    const route = { verb: 'post', path: '/other', roles: 'public', bodyAs: 'bytes' } as const;
    await assert.rejects(fixture.route(plugin, route), { code: 'INVALID_CALL' });
    await assert.rejects(fixture.route(plugin, { ...route, contentTypes: [type], body: {} }), { code: 'INVALID_CALL' });
    await assert.rejects(fixture.route(plugin, { ...route, contentTypes: [type], verb: 'get' }), {
      code: 'INVALID_CALL',
    });
    await assert.rejects(fixture.route(plugin, { ...route, bodyAs: 'json', contentTypes: [type], body: {} }), {
      code: 'INVALID_CALL',
    });
  });
});
