import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import { until } from '../../support/until.ts';
import { readSample } from '../../support/platform.ts';
import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';

const type = 'application/geo+json';
const get = 'GET /tracks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
const piece = (text: string) => ({ bytes: Buffer.from(text).toString('base64'), done: false });
const end = { bytes: '', done: true };

describe('a streamed answer', () => {
  let fixture: HttpFixture;
  afterEach(() => fixture.stop());

  /** A plugin with a stream of these pieces; what it was told of the stream's end is kept. */
  async function start(
    next: (index: number) => unknown,
    config: Parameters<typeof startHttpFixture>[0] = {},
  ): Promise<FakePlugin & { asked: number; ended: boolean }> {
    fixture = await startHttpFixture(config);
    const plugin = Object.assign(createFakePlugin(), { asked: 0, ended: false });
    plugin.handler = () => ({
      status: 200,
      contentType: type,
      stream: 7,
      headers: { 'content-disposition': 'inline' },
    });
    plugin.piece = async (input, { signal }) => {
      assert.equal(input.stream, 7);
      signal.addEventListener('abort', () => (plugin.ended = true));
      if (input.end === true) {
        plugin.ended = true;
        return end;
      }
      plugin.asked += 1;
      return next(plugin.asked - 1);
    };
    await fixture.route(plugin, {
      path: '/tracks',
      roles: 'public',
      streams: { contentTypes: [type, 'application/gpx+xml'], handler: 1 },
    });
    return plugin;
  }
  const outcome = async (name: string): Promise<number> =>
    readSample(await fixture.metrics(), 'returnit_http_streams_total', { plugin: 'orders', outcome: name });

  it('goes out piece by piece, with the declared content type and the headers of every answer', async () => {
    const plugin = await start((index) => (index < 3 ? piece(`${index}é`) : end));
    const response = await fixture.request('/tracks');
    assert.equal(response.headers.get('content-type'), `${type}; charset=utf-8`);
    assert.equal(response.headers.get('content-disposition'), 'inline');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(await response.text(), '0é1é2é');
    assert.equal(plugin.ended, false);
    await until('it is counted', async () => (await outcome('complete')) === 1);
    const text = await fixture.metrics();
    assert.equal(readSample(text, 'returnit_http_stream_bytes_total', { plugin: 'orders' }), 9);
    const route = { http_route: '/tracks', plugin: 'orders' };
    assert.equal(readSample(text, 'http_server_response_body_size_bytes_sum', route), 9);
    assert.equal(readSample(text, 'returnit_http_streams_open', { plugin: 'orders' }), 0);
    for (const other of ['client_gone', 'client_slow', 'plugin_failed', 'too_large', 'refused'])
      assert.match(text, new RegExp(`returnit_http_streams_total\\{plugin="orders",outcome="${other}"\\} 0\n`));
  });

  it('asks for no more than the client takes, and ends complete when it takes the rest', async () => {
    const size = 65_536;
    const pieces = 1000;
    const plugin = await start((index) => (index < pieces ? piece('x'.repeat(size)) : end));
    const socket = await fixture.openSocket();
    socket.pause();
    socket.write(get);
    // The buffers of both ends of the connection fill; then nothing is asked for any more.
    let asked = -1;
    await until('no piece is asked for', async () => {
      const before = asked;
      asked = plugin.asked;
      await fixture.metrics();
      return asked > 0 && asked === before;
    });
    assert.ok(plugin.asked < pieces / 2, `${plugin.asked} pieces were asked for`);
    let received = 0;
    let last = '';
    socket.on('data', (chunk: string) => {
      received += chunk.length;
      last = (last + chunk).slice(-5);
    });
    socket.resume();
    await once(socket, 'close');
    assert.ok(received > size * pieces);
    assert.equal(last, '0\r\n\r\n');
  });

  it('is ended in the plugin when the client goes away', async () => {
    const plugin = await start(() => piece('x'.repeat(65_536)));
    const socket = await fixture.openSocket();
    socket.write(get);
    await once(socket, 'data');
    socket.destroy();
    await until('the plugin knows', () => plugin.ended);
    await until('it is counted', async () => (await outcome('client_gone')) === 1);
  });

  it('is seen to be incomplete when the plugin dies in the middle', async () => {
    const plugin = await start((index) => (index === 0 ? piece('begin') : new Promise(() => undefined)));
    const response = await fixture.request('/tracks');
    assert.equal(response.status, 200);
    const body = assert.rejects(response.text());
    plugin.die();
    await body;
    await until('it is counted', async () => (await outcome('plugin_failed')) === 1);
    const duration = { http_route: '/tracks', http_response_status_code: '200', error_type: 'PLUGIN_UNAVAILABLE' };
    assert.equal(readSample(await fixture.metrics(), 'http_server_request_duration_seconds_count', duration), 1);
    assert.ok(fixture.logs.some(({ msg, code }) => msg === 'Stream cut off' && code === 'PLUGIN_UNAVAILABLE'));
  });

  it('is an error while nothing of it was sent, and cut off when the plugin is too slow later', async () => {
    const late = new AppError('TIMEOUT', 'Cannot finish handle: no answer');
    const plugin = await start((index) => (index === 1 ? piece('begin') : Promise.reject(late)));
    assert.equal((await fixture.request('/tracks')).status, 504);
    await assert.rejects(async () => (await fixture.request('/tracks')).text());
    assert.equal(plugin.asked, 3);
  });

  it('is cut off when the client takes nothing for HTTP_STREAM_STALL_MS', async () => {
    const plugin = await start(() => piece('x'.repeat(65_536)), { httpStreamStallMs: 50 });
    const socket = await fixture.openSocket();
    socket.pause();
    socket.write(get);
    await until('it is counted', async () => (await outcome('client_slow')) === 1);
    await until('the plugin knows', () => plugin.ended);
  });

  it('is cut off above HTTP_STREAM_MAX_BYTES', async () => {
    const plugin = await start(() => piece('0123456789'), { httpStreamMaxBytes: 35 });
    await assert.rejects(async () => (await fixture.request('/tracks')).text());
    await until('it is counted', async () => (await outcome('too_large')) === 1);
    await until('the plugin knows', () => plugin.ended);
    assert.equal(readSample(await fixture.metrics(), 'returnit_http_stream_bytes_total', { plugin: 'orders' }), 30);
  });

  it('is refused above HTTP_STREAMS_PER_PLUGIN_MAX, and taken again when one has ended', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const plugin = await start((index) => (index === 0 ? piece('a') : released.then(() => end)), {
      httpStreamsPerPluginMax: 1,
    });
    const first = await fixture.request('/tracks');
    const second = await fixture.request('/tracks');
    assert.equal(second.status, 503);
    assert.equal(second.headers.get('retry-after'), '1');
    await until('the plugin knows', () => plugin.ended);
    release();
    assert.equal(await first.text(), 'a');
    await until('it is counted', async () => (await outcome('complete')) === 1);
    assert.equal((await fixture.request('/tracks')).status, 200);
  });

  it('must be what the route has declared', async () => {
    const plugin = await start(() => end);
    const good = { status: 200, contentType: type, stream: 7 };
    for (const reply of [
      { ...good, contentType: 'text/html' },
      { ...good, status: 206 },
      { ...good, headers: { 'set-cookie': 'a=b' } },
      { ...good, stream: 'no number' },
    ]) {
      plugin.ended = false;
      plugin.handler = () => reply;
      const response = await fixture.request('/tracks');
      assert.equal(response.status, 500);
      assert.equal(((await response.json()) as { code: string }).code, 'INVALID_RESPONSE');
      if (typeof reply.stream === 'number') await until('the plugin knows', () => plugin.ended);
    }
    await fixture.route(plugin, { path: '/plain', roles: 'public' });
    plugin.handler = () => good;
    assert.equal((await fixture.request('/plain')).status, 500);
  });

  it('answers HEAD with the headers alone', async () => {
    const plugin = await start(() => piece('x'));
    const response = await fixture.request('/tracks', { method: 'HEAD' });
    assert.equal(response.headers.get('content-type'), `${type}; charset=utf-8`);
    await until('the plugin knows', () => plugin.ended);
  });

  it('stands in the description of the API with its content types', async () => {
    await start(() => end);
    const { paths } = (await (await fixture.request('/openapi.json')).json()) as {
      paths: Record<string, { get: { responses: Record<string, { content: object }> } }>;
    };
    assert.deepEqual(Object.keys(paths['/tracks']?.get.responses['200']?.content ?? {}), [
      type,
      'application/gpx+xml',
      'application/json',
    ]);
  });
});
