import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { currentTraceparent } from '#core/telemetry/tracing.ts';
import { readSample } from '../../support/platform.ts';
import { until } from '../../support/until.ts';
import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';

describe('telemetry of a request', () => {
  let fixture: HttpFixture;
  let plugin: FakePlugin;
  before(async () => {
    fixture = await startHttpFixture({ httpSlowRequestMs: 20 });
    plugin = createFakePlugin();
    await fixture.route(plugin, { roles: 'public' });
  });
  after(() => fixture.stop());

  const activeUsers = async (): Promise<number> =>
    Number(/^returnit_http_active_users (\d+)$/m.exec(await fixture.metrics())?.[1]);

  it("is a server span of the route that continues the caller's trace", async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    let inside: string | undefined;
    plugin.handler = () => {
      inside = currentTraceparent();
      return { status: 200, body: {} };
    };
    const response = await fixture.request('/orders/secret-id', {
      headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    });
    assert.equal(response.headers.get('x-request-id'), traceId);
    await response.text();
    const [span] = await until('the span ended', () => {
      const spans = fixture.tracing.recentSpans(traceId);
      return spans.length > 0 && spans;
    });
    assert.equal(span?.name, 'GET /orders/{orderId}');
    assert.equal(span?.kind, 'server');
    assert.equal(span?.attributes['http.route'], '/orders/{orderId}');
    assert.equal(span?.attributes['http.response.status_code'], 200);
    assert.equal(span?.attributes['returnit.plugin'], 'orders', 'panels of a plugin link to its traces');
    assert.match(inside ?? '', new RegExp(`^00-${traceId}-`));
    assert.doesNotMatch(JSON.stringify(span), /secret-id/);
  });

  it("links a device's trace on a route for drivers, and never continues it", async () => {
    const traceId = '9'.repeat(32);
    await fixture.route(createFakePlugin('drivers'), { path: '/steps/{orderId}', roles: ['driver', 'ops'] });
    const response = await fixture.request('/steps/1', {
      headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    });
    await response.text();
    // Refused: it is known by the route before anybody knows who asks.
    assert.equal(response.status, 401);
    const own = response.headers.get('x-request-id') ?? '';
    const [span] = await until('the span ended', () => {
      const spans = fixture.tracing.recentSpans(own);
      return spans.length > 0 && spans;
    });
    assert.deepEqual([span?.name, span?.parentSpanId], ['GET /steps/{orderId}', undefined]);
    assert.deepEqual(span?.links, [{ traceId, spanId: 'b7ad6b7169203331' }]);
    assert.deepEqual(fixture.tracing.recentSpans(traceId), []);
  });

  it('begins a new trace when the traceparent is not one', async () => {
    const response = await fixture.request('/orders/1', { headers: { traceparent: '00-zz-1-1' } });
    assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f]{32}$/);
    await response.text();
  });

  it('is counted by route template, status and plugin', async () => {
    plugin.handler = () => ({ status: 200, body: {} });
    for (const path of ['/orders/a', '/orders/b', '/nothing/here', '/nor/here'])
      await (await fixture.request(path)).text();
    await fixture.raw('PURGE /orders/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    const text = await until('all are counted', async () => {
      const metrics = await fixture.metrics();
      return /method="_OTHER"[^\n]*_count|_count\{[^\n]*method="_OTHER"/.test(metrics) && metrics;
    });
    assert.match(
      text,
      /http_server_request_duration_seconds_count\{http_request_method="GET",http_route="\/orders\/\{orderId\}",http_response_status_code="200",plugin="orders"\} [2-9]/,
    );
    assert.match(
      text,
      /http_server_request_duration_seconds_count\{http_request_method="GET",http_route="__unmatched__",http_response_status_code="404",plugin="core"\} 2/,
    );
    assert.match(text, /http_route="\/orders\/\{orderId\}",http_response_status_code="405"/);
    assert.match(text, /^http_server_active_requests\{http_request_method="GET"\} 0$/m);
    assert.doesNotMatch(text, /nothing\/here|\/orders\/[ab]/);
  });

  it('is counted by the bytes of its answer, none of them for HEAD', async () => {
    const sizes = createFakePlugin('sizes');
    sizes.handler = () => ({ status: 200, body: { text: 'é'.repeat(1000) } });
    await fixture.route(sizes, { path: '/sized/{size}', roles: 'public' });
    const labels = { http_route: '/sized/{size}', plugin: 'sizes' };
    const { length } = new Uint8Array(await (await fixture.request('/sized/1')).arrayBuffer());
    assert.ok(length > 2000);
    await (await fixture.request('/sized/1', { method: 'HEAD' })).text();
    const name = 'http_server_response_body_size_bytes';
    const text = await until('both are counted', async () => {
      const metrics = await fixture.metrics();
      return readSample(metrics, `${name}_count`, labels) === 2 && metrics;
    });
    assert.equal(readSample(text, `${name}_sum`, labels), length);
    assert.equal(readSample(text, `${name}_bucket`, { ...labels, le: '1000' }), 1);
    assert.equal(readSample(text, `${name}_bucket`, { ...labels, le: '10000' }), 2);
  });

  it('has failures and slow requests of each route at 0 before the first', async () => {
    await fixture.route(createFakePlugin('drivers'), { path: '/never/{driverId}', roles: 'public' });
    const text = await fixture.metrics();
    for (const kind of ['failed', 'slow']) {
      const family = `\nreturnit_http_${kind}_requests_total`;
      assert.ok(text.includes(`${family}{http_route="/never/{driverId}",plugin="drivers"} 0\n`), kind);
      // Others have asked for what is not there, and may have waited.
      assert.ok(text.includes(`${family}{http_route="__unmatched__",plugin="core"} `), kind);
    }
  });

  it('counts who has asked within a while as active, by name, refused or not', async () => {
    await fixture.route(createFakePlugin('shifts'), { path: '/shifts/{shiftId}', roles: ['ops'] });
    const before = await activeUsers();
    for (const subject of ['u1', 'u2', 'u1'])
      await (await fixture.request('/orders/1', { role: 'customer', subject })).text();
    await (await fixture.request('/orders/1')).text();
    const refused = await fixture.request('/shifts/1', { role: 'customer', subject: 'u3' });
    await refused.text();
    assert.equal(refused.status, 403);
    await until('all three are counted', async () => (await activeUsers()) === before + 3);
  });

  it('has an error type when the server failed', async () => {
    const failed = async (): Promise<number> =>
      Number(
        /^returnit_http_failed_requests_total\{http_route="\/orders[^}]*\} (\d+)/m.exec(await fixture.metrics())?.[1],
      );
    const failedBefore = await failed();
    plugin.handler = () => ({ status: 299 });
    const response = await fixture.request('/orders/1');
    await response.text();
    assert.match(
      await fixture.metrics(),
      /http_response_status_code="500",error_type="INVALID_RESPONSE",plugin="orders"\} 1/,
    );
    const [span] = fixture.tracing.recentSpans(response.headers.get('x-request-id') ?? '');
    assert.equal(span?.attributes['error.type'], 'INVALID_RESPONSE');
    assert.equal(await failed(), failedBefore + 1);
  });

  it('is logged as a warning with its trace when it is slow, else for debugging', async () => {
    plugin.handler = async () => {
      const startMs = performance.now();
      await until('it is slow', () => performance.now() - startMs > 40);
      return { status: 200, body: {} };
    };
    // On a busy machine the requests of other tests may have been slow as well.
    const slowCount = async (): Promise<number> =>
      Number(
        /^returnit_http_slow_requests_total\{http_route="\/orders\/\{orderId\}",plugin="orders"\} (\d+)/m.exec(
          await fixture.metrics(),
        )?.[1] ?? 0,
      );
    const countBefore = await slowCount();
    const slow = await fixture.request('/orders/secret-id');
    await slow.text();
    const line = await until('it is logged', () =>
      fixture.logs.find((each) => each['trace_id'] === slow.headers.get('x-request-id')),
    );
    assert.equal(line['level'], 'warn');
    assert.equal(line['route'], '/orders/{orderId}');
    assert.equal(line['msg'], 'Slow request: over 20 ms');
    assert.equal(await slowCount(), countBefore + 1);
    plugin.handler = () => ({ status: 200, body: {} });
    const quick = await fixture.request('/orders/secret-id');
    await quick.text();
    const quickLine = await until('it is logged', () =>
      fixture.logs.find((each) => each['trace_id'] === quick.headers.get('x-request-id')),
    );
    assert.equal(quickLine['level'], 'debug');
    assert.doesNotMatch(JSON.stringify(fixture.logs), /secret-id/);
  });

  it('is one line with who asked for what and how it ended, of which a refusal is never more than debugging', async () => {
    const lineOf = (response: Response): Promise<Record<string, unknown>> =>
      until('it is logged', () =>
        fixture.logs.find((each) => each['trace_id'] === response.headers.get('x-request-id')),
      );
    const own = createFakePlugin('payments');
    await fixture.route(own, {
      path: '/payments/{orderId}',
      params: { type: 'object', properties: { orderId: { type: 'string', minLength: 2 } }, required: ['orderId'] },
    });
    own.handler = () => ({ status: 299 });
    const failed = await fixture.request('/payments/o-17', { role: 'customer', subject: 'c-1' });
    await failed.text();
    const { level, msg, method, route, status, plugin: owner, code, err, orderId, ...rest } = await lineOf(failed);
    assert.deepEqual(
      [level, msg, method, route, status, owner, code, orderId],
      ['error', 'Request failed', 'GET', '/payments/{orderId}', 500, 'payments', 'INVALID_RESPONSE', 'o-17'],
    );
    assert.deepEqual([rest['principalKind'], rest['principal'], rest['component']], ['customer', 'c-1', 'http']);
    assert.equal(typeof rest['durationMs'], 'number');
    assert.equal((err as { code: string }).code, 'INVALID_RESPONSE');
    const traced = fixture.logs.filter((each) => each['trace_id'] === failed.headers.get('x-request-id'));
    assert.equal(traced.length, 1);

    const refused = await fixture.request('/payments/x', { role: 'customer', subject: 'c-1' });
    await refused.text();
    const line = await lineOf(refused);
    assert.deepEqual(
      [line['status'], line['code'], 'orderId' in line, 'err' in line],
      [422, 'VALIDATION_FAILED', false, false],
    );
    // On a busy machine it may have been slow.
    assert.ok(line['level'] === 'debug' || line['slow'] === true);
    const away = await fixture.request('/payments/o-17');
    await away.text();
    assert.equal((await lineOf(away))['principal'], undefined);
  });
});
