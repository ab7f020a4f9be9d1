import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import type { WireError } from '#core/errors/wire-error.ts';
import { toPluginFailure } from '#core/plugin-host/supervisor/verdict.ts';
import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: string;
  readonly trace_id: string;
  readonly errors?: readonly { in: string; pointer: string; detail: string }[];
}

async function problemOf(response: Response): Promise<Problem> {
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
  const problem = (await response.json()) as Problem;
  assert.equal(problem.status, response.status);
  assert.equal(problem.trace_id, response.headers.get('x-request-id'));
  assert.equal(problem.type, `/problems/${problem.code.toLowerCase().replaceAll('_', '-')}`);
  const page = await fetch(new URL(problem.type, response.url));
  assert.deepEqual([page.status, ((await page.json()) as Problem).code], [200, problem.code]);
  return problem;
}

const NewOrder = {
  type: 'object',
  required: ['grams'],
  properties: { grams: { type: 'integer', minimum: 1 }, note: { type: 'string', maxLength: 10 } },
};

describe('requests', () => {
  let fixture: HttpFixture;
  let plugin: FakePlugin;

  before(async () => {
    fixture = await startHttpFixture({ httpBodyMaxBytes: 1000, httpRequestTimeoutMs: 500, httpSlowRequestMs: 100_000 });
    plugin = createFakePlugin();
    await fixture.route(plugin, {
      roles: 'public',
      params: { type: 'object', required: ['orderId'], properties: { orderId: { type: 'integer' } } },
      query: { type: 'object', properties: { limit: { type: 'integer', maximum: 100 } } },
      response: { 200: { type: 'object', required: ['ok'], properties: { ok: { type: 'boolean' } } } },
    });
    await fixture.route(plugin, {
      verb: 'post',
      path: '/orders',
      roles: 'public',
      body: NewOrder,
      response: { 201: {}, 204: {} },
    });
  });
  after(() => fixture.stop());

  const ok = (): unknown => ({ status: 200, body: { ok: true } });
  const created = (): unknown => ({ status: 201, body: {} });

  it('hands a valid request to the plugin, typed and without credentials', async () => {
    plugin.handler = ok;
    const response = await fixture.request('/orders/7?limit=20', {
      role: 'customer',
      headers: { cookie: 'a=b', 'x-color': 'red' },
    });
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { ok: true });
    assert.equal(response.headers.get('cache-control'), 'no-store');
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

  it("sends a plugin's problem as problem details", async () => {
    plugin.handler = () => ({
      problem: {
        status: 409,
        code: 'ORDER_CLOSED',
        title: 'Order is closed',
        detail: 'It was delivered',
        state: 'delivered',
        instance: 'forged',
        trace_id: 'forged',
      },
    });
    const response = await fixture.request('/orders/7');
    const problem = await problemOf(response);
    assert.equal(response.status, 409);
    assert.equal(problem.code, 'ORDER_CLOSED');
    assert.equal(problem.instance, '/orders/7');
    assert.equal((problem as unknown as { state: string }).state, 'delivered');
  });

  const invalidReplies: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'a body that breaks the schema',
      { status: 200, body: { ok: 'secret-value' } },
      /status 200 does not match the schema at #\/ok$/,
    ],
    ['an undeclared status', { status: 202, body: {} }, /its status must be one of 200: it is 202/],
    [
      'a problem with a success status',
      { problem: { status: 200, code: 'X_Y', title: 'x' } },
      /"problem.status" must be a whole number from 400 to 599: it is 200/,
    ],
    ['a problem without a code', { problem: { status: 400, code: 'no code', title: 'x' } }, /"problem.code" must be/],
    [
      "a header that is the core's",
      { status: 200, body: { ok: true }, headers: { 'set-cookie': 'a=b' } },
      /header "set-cookie" must be one of/,
    ],
    [
      'a header of two lines',
      { status: 200, body: { ok: true }, headers: { 'x-a': 'b\r\nset-cookie: a' } },
      /header "x-a" must be one line/,
    ],
    ['nothing', undefined, /it must be an object/],
  ];
  for (const [name, reply, message] of invalidReplies) {
    it(`answers 500 and logs the place when a plugin replies ${name}`, async () => {
      plugin.handler = () => reply;
      const problem = await problemOf(await fixture.request('/orders/7'));
      assert.equal(problem.code, 'INVALID_RESPONSE');
      assert.doesNotMatch(JSON.stringify(problem), /secret-value|schema at/);
      const line = fixture.logs.find((each) => each['trace_id'] === problem.trace_id && each['level'] === 'error');
      const { message: logged } = (line?.['err'] ?? { message: '' }) as { message: string };
      assert.match(logged, message);
      assert.doesNotMatch(JSON.stringify(line), /secret-value/);
    });
  }

  it('passes on allowed headers and answers 204 without a body', async () => {
    plugin.handler = () => ({ status: 201, body: { id: 1 }, headers: { Location: '/orders/1', 'x-total': '1' } });
    const response = await fixture.request('/orders', { json: { grams: 5 } });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('location'), '/orders/1');
    assert.equal(response.headers.get('x-total'), '1');
    plugin.handler = () => ({ status: 204 });
    const empty = await fixture.request('/orders', { json: { grams: 5 } });
    assert.equal(empty.status, 204);
    assert.equal(await empty.text(), '');
    plugin.handler = created;
  });

  const failures: readonly (readonly [AppError['code'], number, string, string | null])[] = [
    ['PLUGIN_UNAVAILABLE', 503, 'PLUGIN_UNAVAILABLE', '1'],
    ['OVERLOADED', 503, 'OVERLOADED', '1'],
    ['TIMEOUT', 504, 'TIMEOUT', null],
    ['PLUGIN_FAILED', 500, 'PLUGIN_FAILED', null],
    ['NOT_CAPABLE', 500, 'PLUGIN_FAILED', null],
    ['NOT_FOUND', 500, 'PLUGIN_FAILED', null],
  ];
  for (const [code, status, answered, retryAfter] of failures) {
    it(`answers ${status} ${answered} when the call ends with ${code}, and keeps the message to the log`, async () => {
      plugin.handler = () => {
        throw new AppError(code, 'inner words of the plugin');
      };
      const response = await fixture.request('/orders/7');
      const problem = await problemOf(response);
      assert.equal(response.status, status);
      assert.equal(problem.code, answered);
      assert.equal(response.headers.get('retry-after'), retryAfter);
      assert.doesNotMatch(JSON.stringify(problem), /inner words/);
      assert.ok(
        fixture.logs.some(
          (line) => line['trace_id'] === problem.trace_id && JSON.stringify(line['err']).includes('inner words'),
        ),
      );
    });
  }

  const outage = { code: 'DATABASE_UNREACHABLE', message: 'inner words of the core' };
  const thrown: readonly (readonly [string, WireError])[] = [
    ['as it came', outage],
    [
      'as the cause of its own',
      { code: 'ORDER_LOST', message: 'x', cause: { ...outage, message: 'y', cause: outage } },
    ],
  ];
  for (const [how, wire] of thrown) {
    it(`answers 503 when the database was away and the handler threw that error ${how}`, async () => {
      plugin.handler = () => {
        throw toPluginFailure('orders', wire);
      };
      const response = await fixture.request('/orders/7');
      const problem = await problemOf(response);
      assert.equal(response.status, 503);
      assert.equal(response.headers.get('retry-after'), '5');
      assert.equal(problem.code, 'DATABASE_UNREACHABLE');
      assert.equal(problem.detail, 'The database cannot be reached at the moment; try again later');
      assert.doesNotMatch(JSON.stringify(problem), /inner words/);
    });
  }
});
