import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { errorCodes } from '#core/errors/codes.ts';
import type { ErrorDescription } from '#core/errors/error-description.ts';
import { prefersHtml } from '#core/http/accepts-html.ts';
import { problemType } from '#core/errors/problem-type.ts';
import { createOpenApiCheck, type OpenApi } from '../../support/openapi-check.ts';
import { createFakePlugin, startHttpFixture, type HttpFixture } from './http-fixture.ts';

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';

describe('/problems/{code}', () => {
  let fixture: HttpFixture;
  before(async () => {
    fixture = await startHttpFixture();
  });
  after(() => fixture.stop());

  const read = async (path: string): Promise<Record<string, unknown>> => {
    const response = await fixture.request(path);
    assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8');
    return { ...((await response.json()) as object), httpStatus: response.status };
  };

  it('explains each code of the core, to programs and to people', async () => {
    for (const [code, description] of Object.entries(errorCodes) as [string, ErrorDescription][]) {
      const path = problemType(code);
      assert.deepEqual(await read(path), { type: path, code, owner: 'core', ...description, httpStatus: 200 });
      const page = await fixture.request(path, { headers: { accept: browser } });
      assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
      assert.equal(page.headers.get('vary'), 'accept');
      assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
      const html = await page.text();
      for (const text of [code, String(description.status)]) assert.ok(html.includes(text), `${code}: ${text}`);
      assert.doesNotMatch(html, /<script|src=|<link/);
      for (const text of [description.meaning, description.remedy]) assert.match(text, /^[A-Z`].*\.$/, code);
    }
  });

  it('explains what a plugin has answered, also after its restart, and nothing that nobody has', async () => {
    const plugin = createFakePlugin();
    const problem = { status: 409, code: 'ORDER_ODD', title: 'Order is <odd>' };
    plugin.handler = () => ({ problem });
    await fixture.route(plugin, { roles: 'public' });
    assert.equal((await fixture.request('/problems/order-odd')).status, 404);
    const answer = (await (await fixture.request('/orders/1')).json()) as { type: string };
    assert.equal(answer.type, '/problems/order-odd');
    for (const id of ['orders-1', 'orders-2']) {
      if (id === 'orders-2') await fixture.route(createFakePlugin('orders', id), { roles: 'public' });
      const { httpStatus, owner, title, status } = await read(answer.type);
      assert.deepEqual([httpStatus, owner, title, status], [200, 'orders', 'Order is <odd>', 409]);
    }
    const html = await (await fixture.request(answer.type, { headers: { accept: 'text/html' } })).text();
    assert.match(html, /Order is &lt;odd&gt;/);
  });

  it('answers 404 or 422 to what is no code', async () => {
    for (const [path, status] of [
      ['/problems/no-such-code', 404],
      ['/problems/constructor', 404],
      ['/problems/NOT_FOUND', 422],
      ['/problems/a%2Fb', 422],
    ] as const) {
      const response = await fixture.request(path);
      assert.equal(response.status, status, path);
      const { type } = (await response.json()) as { type: string };
      assert.equal((await fixture.request(type)).status, 200);
    }
  });
});

describe("the core's own pages", () => {
  it('answer what the description says, in each content type', async () => {
    const fixture = await startHttpFixture();
    try {
      const document = (await (await fixture.request('/openapi.json')).json()) as OpenApi;
      const { check } = createOpenApiCheck(document);
      for (const [path, accept, type] of [
        ['/openapi.json', '*/*', 'application/json'],
        ['/docs', '*/*', 'text/html'],
        ['/.well-known/jwks.json', '*/*', 'application/json'],
        ['/problems/not-found', '*/*', 'application/json'],
        ['/problems/not-found', browser, 'text/html'],
      ] as const) {
        const response = await fixture.request(path, { headers: { accept } });
        const contentType = response.headers.get('content-type');
        assert.ok(contentType?.startsWith(type), `${path} ${contentType}`);
        const text = await response.text();
        const body: unknown = type === 'text/html' ? text : JSON.parse(text);
        check({ verb: 'GET', path, status: response.status, contentType, body });
      }
    } finally {
      await fixture.stop();
    }
  });
});

describe('prefersHtml()', () => {
  it('is true for browsers, and for who asks for nothing else', () => {
    for (const accept of [browser, 'text/html', 'TEXT/HTML', 'text/*', 'application/json;q=0.5, text/html;q=0.6']) {
      assert.equal(prefersHtml(accept), true, accept);
    }
    for (const accept of [
      undefined,
      '',
      '*/*',
      'application/json',
      'application/problem+json, */*;q=0.1',
      'text/html;q=0.5, application/json',
      'text/html, application/json',
      'text/html;q=0',
      'text/html;q=high',
      'image/png',
    ]) {
      assert.equal(prefersHtml(accept), false, accept ?? 'nothing');
    }
  });
});
