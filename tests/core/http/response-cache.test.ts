import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Principal, Role } from '#plugin-api';
import { toCacheEvent } from '#core/cache/event-match.ts';
import { answerCached } from '#core/http/response-cache.ts';
import { createRouteTable } from '#core/http/route-table.ts';
import type { RouteRequest, RouteResponse } from '#core/http/route.ts';
import { createEventCache } from '#core/cache/event-cache.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { readSample } from '../../support/platform.ts';
import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';

const roles: Role[] = ['customer', 'ops'];
const params = { type: 'object', properties: { orderId: { type: 'string' } }, required: ['orderId'] };
const query = { type: 'object', properties: { page: { type: 'integer' } } };
const cache = { invalidatedBy: ['order.*'], keyedBy: 'orderId' };

describe('a route with a cache', () => {
  let fixture: HttpFixture;
  let plugin: FakePlugin;

  beforeEach(async () => {
    fixture = await startHttpFixture();
    plugin = createFakePlugin();
    plugin.handler = ({ principal, params: of, query: how }) => ({
      status: 200,
      body: { principal, of, how, answer: plugin.inputs.length },
    });
    await fixture.route(plugin, { roles, params, query, cache });
  });
  afterEach(() => fixture.stop());

  const get = async (path: string, role: Role = 'customer', headers: Record<string, string> = {}) => {
    const response = await fixture.request(path, { role, headers });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const invalidate = (data: object): number => fixture.responseCache.invalidate(toCacheEvent('order.changed', data));

  it('answers again what it answered, to the same principal, for the same parameters', async () => {
    const first = await get('/orders/1');
    assert.deepEqual((await get('/orders/1')).text, first.text);
    assert.equal(plugin.inputs.length, 1);
    for (const path of ['/orders/2', '/orders/1?page=2']) assert.notEqual((await get(path)).text, first.text);
    assert.notEqual((await get('/orders/1', 'ops')).text, first.text);
    assert.equal(plugin.inputs.length, 4);
    const text = await fixture.metrics();
    const labels = { cache: 'response', plugin: 'orders' };
    assert.equal(readSample(text, 'returnit_cache_requests_total', { ...labels, result: 'hit' }), 1);
    assert.equal(readSample(text, 'returnit_cache_entries', labels), 4);
  });

  it('asks again after an event that is about the same thing, and only then', async () => {
    await get('/orders/1');
    await get('/orders/2');
    assert.equal(invalidate({ orderId: '1' }), 1);
    await get('/orders/2');
    assert.equal(plugin.inputs.length, 2);
    await get('/orders/1');
    assert.equal(plugin.inputs.length, 3);
  });

  it('does not keep an answer that was under way when the event came', async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { handler } = plugin;
    plugin.handler = async (...args) => {
      arrive();
      await released;
      return handler(...args);
    };
    const slow = get('/orders/1');
    await arrived;
    invalidate({ orderId: '1' });
    release();
    await slow;
    await get('/orders/1');
    assert.equal(plugin.inputs.length, 2);
  });

  it('gives the handler no header that the answer could depend on, but those that it varies by', async () => {
    await fixture.route(plugin, {
      path: '/greeting',
      roles,
      cache: { invalidatedBy: ['a.b'], varyBy: ['accept-language'] },
    });
    plugin.handler = ({ headers }) => ({ status: 200, body: { headers } });
    const german = await get('/greeting', 'customer', { 'accept-language': 'de', 'x-tenant': 'a' });
    assert.deepEqual(JSON.parse(german.text), { headers: { 'accept-language': 'de' } });
    const french = await get('/greeting', 'customer', { 'accept-language': 'fr', 'x-tenant': 'b' });
    assert.deepEqual(JSON.parse(french.text), { headers: { 'accept-language': 'fr' } });
    assert.equal((await get('/greeting', 'customer', { 'accept-language': 'de' })).text, german.text);
  });

  it('keeps neither problems nor what says by itself how it is to be kept', async () => {
    plugin.handler = () => ({ problem: { status: 404, code: 'ORDER_NOT_FOUND', title: 'Order not found' } });
    for (let time = 0; time < 2; time += 1) assert.equal((await get('/orders/1')).status, 404);
    plugin.handler = () => ({ status: 200, body: {}, headers: { 'cache-control': 'no-store' } });
    for (let time = 0; time < 2; time += 1) assert.equal((await get('/orders/1')).status, 200);
    plugin.handler = () => Promise.reject(new Error('broken'));
    for (let time = 0; time < 2; time += 1) assert.equal((await get('/orders/1')).status, 500);
    assert.equal(plugin.inputs.length, 6);
  });

  it('forgets what an earlier process of the plugin answered', async () => {
    await get('/orders/1');
    const restarted = createFakePlugin('orders', 'orders-2');
    await fixture.route(restarted, { roles, params, query, cache });
    assert.deepEqual(JSON.parse((await get('/orders/1')).text), { ok: true });
  });

  it('must be a GET, keyed by a parameter that there is', async () => {
    await assert.rejects(fixture.route(plugin, { verb: 'post', path: '/a', cache: { invalidatedBy: ['order.*'] } }), {
      code: 'INVALID_CALL',
    });
    await assert.rejects(fixture.route(plugin, { path: '/b', cache }), {
      message: `Cannot register route "GET /b": 'cache.keyedBy' must be a parameter of its path or query: "orderId" is none`,
    });
  });
});

describe('answers of GET routes', () => {
  let fixture: HttpFixture;
  let plugin: FakePlugin;

  beforeEach(async () => {
    fixture = await startHttpFixture();
    plugin = createFakePlugin();
    await fixture.route(plugin, { path: '/orders', roles: 'public' });
    await fixture.route(plugin, { path: '/orders', verb: 'post', roles: 'public', body: {} });
  });
  afterEach(() => fixture.stop());

  const ask = (ifNoneMatch: string, init: RequestInit = {}): Promise<Response> =>
    fixture.request('/orders', { ...init, headers: { 'if-none-match': ifNoneMatch } });

  it('are API answers: nobody on the way keeps them', async () => {
    const response = await fixture.request('/orders');
    assert.equal(response.headers.get('cache-control'), 'no-cache, no-store, must-revalidate');
  });

  it('have a tag of their body, and are 304 without one for who has it', async () => {
    const etag = (await fixture.request('/orders')).headers.get('etag') ?? '';
    assert.match(etag, /^"[\w-]{27}"$/);
    for (const sent of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await ask(sent);
      assert.deepEqual([response.status, await response.text(), response.headers.get('etag')], [304, '', etag], sent);
      assert.equal(response.headers.get('content-type'), null);
    }
    assert.equal((await ask('"other"')).status, 200);
    assert.equal((await ask(etag, { method: 'HEAD' })).status, 304);
    plugin.handler = () => ({ status: 200, body: { changed: true } });
    assert.equal((await ask(etag)).status, 200);
  });

  it('keep the tag that the plugin gave them, weak or strong', async () => {
    for (const etag of ['"7"', 'W/"7"']) {
      plugin.handler = () => ({ status: 200, body: {}, headers: { etag } });
      assert.equal((await fixture.request('/orders')).headers.get('etag'), etag);
      for (const sent of ['"7"', 'W/"7"']) assert.equal((await ask(sent)).status, 304);
    }
  });

  it('alone have one', async () => {
    const posted = await fixture.request('/orders', { json: {} });
    assert.deepEqual([posted.status, posted.headers.get('etag')], [200, null]);
    plugin.handler = () => ({ problem: { status: 404, code: 'NONE', title: 'None' } });
    const refused = await ask('*');
    assert.deepEqual([refused.status, refused.headers.get('etag')], [404, null]);
  });
});

describe('answerCached()', () => {
  it('never answers one principal, or one question, with what another was answered', async () => {
    const metrics = createMetrics({ labelSetsMax: 500 });
    const route = createRouteTable().add({
      verb: 'GET',
      path: '/things/{thingId}',
      owner: { name: 'things', id: 'things-1' },
      summary: 'A thing',
      roles: ['customer'],
      cache: { invalidatedBy: ['thing.*'], varyBy: ['accept-language'] },
      run: () => ({ status: 200 }),
    });
    // Few values, and such as run into one another where a key is put together carelessly.
    const text = fc.constantFrom('', 'a', 'b', '"', ',', 'a","b', '[]');
    const principal = fc.record({
      id: text,
      role: fc.constantFrom('customer', 'partner', 'ops'),
      scopes: fc.option(fc.array(text, { maxLength: 2 }), { nil: undefined }),
    });
    const question = fc.record({
      principal,
      params: fc.record({ thingId: text }),
      query: fc.dictionary(fc.constantFrom('a', 'b'), text, { maxKeys: 2 }),
      headers: fc.record({ 'accept-language': text, 'x-other': text }),
      // What a request may come to have: it must not be forgotten in the key.
      scopes: fc.option(fc.array(text, { maxLength: 2 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(question, { maxLength: 40 }), async (questions) => {
        const responseCache = createEventCache<RouteResponse>({
          name: 'response',
          entriesMax: 500,
          ttlMs: 60_000,
          maxBytes: 1_000_000,
          valueMaxBytes: 1000,
          metrics,
        });
        let asked = 0;
        const answer = answerCached(responseCache, async (asking) => {
          const { headers, principal: who, params: of, query: how } = asking;
          const { scopes } = asking as RouteRequest & { readonly scopes?: readonly string[] };
          asked += 1;
          return { status: 200, text: JSON.stringify([who, of, how, headers['accept-language'], scopes]) };
        });
        const distinct = new Set<string>();
        for (const each of questions) {
          const request = {
            ...each,
            principal: each.principal as Principal,
            body: null,
            path: '/things/1',
            id: 'trace',
            signal: new AbortController().signal,
          } satisfies RouteRequest;
          const { headers, scopes } = each;
          const expected = JSON.stringify([
            each.principal,
            each.params,
            each.query,
            headers['accept-language'],
            scopes,
          ]);
          distinct.add(expected);
          const found = answer(request, route);
          assert.equal((typeof found === 'function' ? await found() : found).text, expected);
        }
        assert.equal(asked, distinct.size, 'and it does keep');
      }),
      { numRuns: 500 },
    );
  });
});
