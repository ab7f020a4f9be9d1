import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { FakePlugin, HttpFixture } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';
import { startOrderRoutes } from './order-routes.ts';

describe('requests', () => {
  let fixture: HttpFixture;
  let plugin: FakePlugin;
  before(async () => ({ fixture, plugin } = await startOrderRoutes()));
  after(() => fixture.stop());

  const ok = (): unknown => ({ status: 200, body: { ok: true } });

  it('hands a valid request to the plugin, typed and without credentials', async () => {
    plugin.handler = ok;
    const response = await fixture.request('/orders/7?limit=20', {
      role: 'customer',
      headers: { cookie: 'a=b', 'x-color': 'red' },
    });
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { ok: true });
    assert.equal(response.headers.get('cache-control'), 'no-cache, no-store, must-revalidate');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    const input = plugin.inputs.at(-1);
    assert.deepEqual(input?.principal, { id: 'customer-1', role: 'customer' });
    assert.deepEqual(input?.params, { orderId: 7 });
    assert.deepEqual(input?.query, { limit: 20 });
    assert.equal(input?.body, null);
    assert.equal(input?.id, response.headers.get('x-request-id'));
    assert.equal(input?.headers['x-color'], 'red');
    for (const name of ['authorization', 'cookie', 'host', 'connection'])
      assert.equal(input?.headers[name], undefined, name);
  });

  it('refuses what does not match and says all of it', async () => {
    const response = await fixture.request('/orders/x?limit=1000&page=2');
    const problem = await problemOf(response);
    assert.equal(problem.code, 'VALIDATION_FAILED');
    assert.equal(problem.instance, '/orders/x');
    assert.deepEqual(problem.errors, [
      { in: 'path', pointer: '#/orderId', detail: 'must be an integer: it is "x"' },
      { in: 'query', pointer: '#/page', detail: 'is not a known field; known are "limit"' },
      { in: 'query', pointer: '#/limit', detail: 'must be <= 100: it is 1000' },
    ]);
  });

  it('does not convert what stands in a body', async () => {
    const before = plugin.inputs.length;
    const problem = await problemOf(
      await fixture.request('/orders', { json: { grams: '5', colour: 'red', note: 'far too long' } }),
    );
    assert.equal(problem.status, 422);
    assert.deepEqual(problem.errors?.map((error) => error.pointer).sort(), ['#/colour', '#/grams', '#/note']);
    assert.equal(plugin.inputs.length, before);
  });

  it('refuses malformed JSON by its place', async () => {
    const response = await fixture.request('/orders', {
      method: 'POST',
      body: '{"grams": 5,}',
      headers: { 'content-type': 'application/json' },
    });
    const problem = await problemOf(response);
    assert.equal(problem.status, 400);
    assert.equal(problem.code, 'MALFORMED_JSON');
    assert.match(problem.detail, /unexpected "}" at line 1, column 13/);
  });

  it('refuses a body that is missing, of another type, or compressed', async () => {
    assert.equal((await problemOf(await fixture.request('/orders', { method: 'POST' }))).code, 'VALIDATION_FAILED');
    const text = await fixture.request('/orders', {
      method: 'POST',
      body: '{"grams":5}',
      headers: { 'content-type': 'text/plain' },
    });
    assert.match((await problemOf(text)).detail, /must be "application\/json" in UTF-8: it is "text\/plain"/);
    assert.equal(text.status, 415);
    const zipped = await fixture.request('/orders', {
      method: 'POST',
      body: 'xx',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    assert.equal((await problemOf(zipped)).code, 'UNSUPPORTED_MEDIA_TYPE');
  });

  it('refuses a body where none is taken', async () => {
    const answer = await fixture.raw(
      'GET /orders/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}',
    );
    assert.match(answer, /^HTTP\/1\.1 400 .*MALFORMED_REQUEST/s);
  });

  it('refuses an announced body that is too large without reading it', async () => {
    // The body never comes: an answer proves that none was waited for.
    const answer = await fixture.raw(
      'POST /orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1001\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1\.1 413 .*connection: close.*at most 1000 bytes.*BODY_TOO_LARGE/is);
  });

  it('refuses a chunked body as soon as it is too large', async () => {
    const chunk = `258\r\n${'x'.repeat(600)}\r\n`;
    const answer = await fixture.raw(
      `POST /orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${chunk}${chunk}`,
    );
    assert.match(answer, /^HTTP\/1\.1 413 .*BODY_TOO_LARGE/s);
  });

  it('gives up on a body that does not arrive', async () => {
    const answer = await fixture.raw(
      'POST /orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"grams"',
    );
    assert.match(answer, /^HTTP\/1\.1 408 .*connection: close.*within 500 ms.*REQUEST_TIMEOUT/is);
  });

  it('refuses headers that are too large and what is not HTTP', async () => {
    assert.match(
      await fixture.raw(`GET / HTTP/1.1\r\nhost: a\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`),
      /^HTTP\/1\.1 431 .*HEADERS_TOO_LARGE/s,
    );
    assert.match(await fixture.raw('HELLO\r\n\r\n'), /^HTTP\/1\.1 400 .*MALFORMED_REQUEST/s);
  });

  it('answers 404, 405 and OPTIONS', async () => {
    assert.equal((await problemOf(await fixture.request('/nothing'))).code, 'NOT_FOUND');
    const wrongVerb = await fixture.request('/orders/1', { method: 'DELETE' });
    assert.equal((await problemOf(wrongVerb)).code, 'METHOD_NOT_ALLOWED');
    assert.equal(wrongVerb.headers.get('allow'), 'GET, HEAD, OPTIONS');
    const options = await fixture.request('/orders', { method: 'OPTIONS' });
    assert.equal(options.status, 204);
    assert.equal(options.headers.get('allow'), 'OPTIONS, POST');
  });

  it('answers HEAD as GET without the body', async () => {
    plugin.handler = ok;
    const response = await fixture.request('/orders/7', { method: 'HEAD' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-length'), '11');
    assert.equal(await response.text(), '');
  });

  it('refuses broken percent encoding', async () => {
    assert.match(
      await fixture.raw('GET /orders/%zz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'),
      /^HTTP\/1\.1 400 .*percent encoding is broken/s,
    );
  });

  it('refuses a zero character in the path and in the query, and no other text that looks like one', async () => {
    plugin.handler = ok;
    for (const [path, part] of [
      ['/orders/a%00b', 'path'],
      ['/orders/7?x=a%00b', 'query'],
      ['/orders/7?%00=a', 'query'],
    ] as const) {
      const problem = await problemOf(await fixture.request(path));
      assert.deepEqual([problem.status, problem.code], [400, 'MALFORMED_REQUEST'], path);
      assert.match(problem.detail, new RegExp(`^Cannot read the ${part}: it must be without the character %00$`));
    }
    assert.equal((await fixture.request('/orders/a%2500')).status, 422, 'read, and checked');
  });
});
