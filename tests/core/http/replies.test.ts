import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import type { WireError } from '#core/errors/wire-error.ts';
import { toPluginFailure } from '#core/plugin-host/supervisor/verdict.ts';
import type { FakePlugin, HttpFixture } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';
import { startOrderRoutes } from './order-routes.ts';

describe('replies of plugins', () => {
  let fixture: HttpFixture;
  let plugin: FakePlugin;
  before(async () => ({ fixture, plugin } = await startOrderRoutes()));
  after(() => fixture.stop());

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
