import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createAuthenticator } from '#core/http/authentication.ts';
import { createRouteTable } from '#core/http/route-table.ts';
import { createStaticAssets } from '#core/http/static-assets.ts';
import { createHttpServer } from '#core/http/server.ts';
import { createLogger } from '#core/telemetry/logger.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { until } from '../../support/until.ts';
import { createFakePlugin, startHttpFixture, type HttpFixture } from './http-fixture.ts';

const open = { roles: 'public' as const, path: '/orders/{orderId}' };

describe('createHttpServer()', () => {
  let fixture: HttpFixture;
  beforeEach(async () => {
    fixture = await startHttpFixture();
  });
  afterEach(() => fixture.stop());

  it('says which variable to change when the port is taken', async () => {
    const { config } = fixture;
    const routes = createRouteTable();
    const other = createHttpServer({
      config: { ...config, httpPort: fixture.port },
      telemetry: { metrics: createMetrics({ labelSetsMax: 10 }), logger: createLogger({ level: 'silent' }) },
      routes,
      authenticator: await createAuthenticator({ config }),
      authenticateDevice: () => Promise.resolve({ failure: 'unknown-user' }),
      responseCache: fixture.responseCache,
      assets: createStaticAssets(routes),
      version: '1',
    });
    await assert.rejects(other.start(), {
      code: 'PORT_IN_USE',
      message: `Cannot listen on HTTP_HOST 127.0.0.1, HTTP_PORT ${fixture.port}: another program listens there; set HTTP_PORT to a free port, or to 0`,
    });
  });

  it('lets requests finish when it stops, and takes no more', async () => {
    const plugin = createFakePlugin();
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    plugin.handler = async () => {
      arrive();
      await released;
      return { status: 200, body: {} };
    };
    await fixture.route(plugin, open);
    const pending = fixture.request('/orders/1');
    await arrived;
    const stopping = fixture.http.stop({ timeoutMs: 10_000 });
    await assert.rejects(fixture.request('/orders/2'));
    release();
    const response = await pending;
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('connection'), 'close');
    await response.text();
    await stopping;
  });

  it('cancels and cuts off what is left at the deadline', async () => {
    const plugin = createFakePlugin();
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<AbortSignal>();
    plugin.handler = (_input, { signal }) => {
      arrive(signal);
      return new Promise(() => undefined);
    };
    await fixture.route(plugin, open);
    const pending = assert.rejects(fixture.request('/orders/1'));
    const signal = await arrived;
    assert.equal(fixture.http.requestsWaiting(), 1);
    await fixture.http.stop({ timeoutMs: 50 });
    await pending;
    assert.equal(signal.aborted, true);
    assert.equal(fixture.http.requestsWaiting(), 0);
  });

  it("cancels the plugin's work when the client goes away", async () => {
    const plugin = createFakePlugin();
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<AbortSignal>();
    plugin.handler = (_input, { signal }) => {
      arrive(signal);
      return new Promise(() => undefined);
    };
    await fixture.route(plugin, open);
    const socket = await fixture.openSocket();
    socket.write('GET /orders/1 HTTP/1.1\r\nhost: a\r\n\r\n');
    const signal = await arrived;
    const aborted = once(signal, 'abort');
    socket.destroy();
    await aborted;
    await until('it is counted', async () => /http_response_status_code="499"/.test(await fixture.metrics()));
    assert.equal(
      fixture.logs.some((line) => line['level'] === 'error' || line['level'] === 'warn'),
      false,
    );
  });

  it('answers 503 at once when the plugin is gone, and again when it is back', async () => {
    const plugin = createFakePlugin('orders', 'orders-1');
    plugin.handler = () => {
      plugin.die();
      return new Promise(() => undefined);
    };
    await fixture.route(plugin, open);
    for (const moment of ['while it answers', 'afterwards']) {
      const response = await fixture.request('/orders/1');
      assert.equal(response.status, 503, moment);
      assert.equal(response.headers.get('retry-after'), '1');
      assert.equal(((await response.json()) as { code: string }).code, 'PLUGIN_UNAVAILABLE');
    }
    assert.equal(plugin.inputs.length, 1);
    await fixture.route(createFakePlugin('orders', 'orders-2'), open);
    const response = await fixture.request('/orders/1');
    assert.deepEqual(await response.json(), { ok: true });
  });

  const outages = [
    ['quarantined', /is quarantined since it kept failing; an operator must release it$/],
    ['failed', /cannot be started; an operator must see to it$/],
  ] as const;
  for (const [state, detail] of outages) {
    it(`says that a plugin is ${state}, and to come back much later`, async () => {
      const outage = await startHttpFixture({}, () => state);
      const plugin = createFakePlugin();
      plugin.handler = () => {
        plugin.die();
        return new Promise(() => undefined);
      };
      await outage.route(plugin, open);
      for (const moment of ['while it answers', 'afterwards']) {
        const response = await outage.request('/orders/1');
        const problem = (await response.json()) as { code: string; detail: string };
        assert.deepEqual([response.status, problem.code], [503, 'PLUGIN_UNAVAILABLE'], moment);
        assert.equal(response.headers.get('retry-after'), '60');
        assert.match(problem.detail, detail);
        assert.doesNotMatch(problem.detail, /orders/);
      }
      await outage.stop();
    });
  }

  it('refuses connections above the limit', async () => {
    const small = await startHttpFixture({ httpConnectionsMax: 2 });
    await small.openSocket();
    await small.openSocket();
    const third = await small.openSocket();
    await once(third, 'close');
    assert.match(await small.metrics(), /^returnit_http_connections_max 2$/m);
    assert.ok(small.logs.some((line) => line['connectionsMax'] === 2));
    await small.stop();
  });

  it('stops twice', async () => {
    await Promise.all([fixture.http.stop(), fixture.http.stop()]);
  });
});
