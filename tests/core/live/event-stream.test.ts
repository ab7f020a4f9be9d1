import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import { until } from '../../support/until.ts';
import { allow, startLiveServer, type LiveServer } from './live-server.ts';

const pattern = 'orders/{orderId}/position';
const channel = 'orders/1/position';

async function open(
  server: LiveServer,
  options: { path?: string; token?: string; method?: string; since?: number } = {},
): Promise<{ response: Response; text: () => string; ended: Promise<void>; abort: () => void }> {
  const abort = new AbortController();
  const response = await fetch(`${server.url}/live/${options.path ?? channel}`, {
    method: options.method ?? 'GET',
    headers: {
      ...(options.token === '' ? {} : { authorization: `Bearer ${options.token ?? 'customer-kim'}` }),
      ...(options.since === undefined ? {} : { 'last-event-id': String(options.since) }),
    },
    signal: abort.signal,
  });
  let text = '';
  const ended = (async () => {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk;
  })();
  // Aborted by the test.
  ended.catch(() => undefined);
  return { response, text: () => text, ended, abort: () => abort.abort() };
}

describe('live by server-sent events', { timeout: 60_000 }, () => {
  it('streams the snapshot, the changes, heartbeats and the end', async (t) => {
    const server = await startLiveServer(t, { liveHeartbeatMs: 100 });
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const { response, text, ended } = await open(server);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    await until('a heartbeat', () => text().includes(': alive\n\n'));
    server.hub.publish(channel, { n: 1 }, 1);
    server.hub.publish(channel, { n: 1 }, 1);
    server.hub.close(channel, 'delivered');
    await ended;
    assert.equal(
      text().replaceAll(': alive\n\n', ''),
      `id: 0\nevent: snapshot\ndata: {"channel":"${channel}","version":0,"data":{"n":0}}\n\n` +
        `id: 1\nevent: change\ndata: {"channel":"${channel}","version":1,"data":{"n":1}}\n\n` +
        `event: closed\ndata: {"channel":"${channel}","reason":"delivered"}\n\n`,
    );
    // What was published twice was sent once.
    assert.equal(await server.sample('returnit_live_messages_sent_total{transport="sse"}'), 2);
    assert.equal(await server.sample('returnit_live_messages_dropped_total{transport="sse",reason="stale"}'), 1);
    await until('it is gone', async () => (await server.sample('returnit_live_connections{transport="sse"}')) === 0);
  });

  it('begins at once when there is no snapshot yet', async (t) => {
    const server = await startLiveServer(t);
    server.hub.declare(pattern, { plugin: 'tracking', authorize: () => Promise.resolve({ allowed: true }) });
    const { response, text, abort } = await open(server);
    assert.equal(response.status, 200);
    assert.equal(text(), '');
    abort();
    await until('it is gone', async () => (await server.sample('returnit_live_connections{transport="sse"}')) === 0);
  });

  it('answers who may not watch with problem details', async (t) => {
    const server = await startLiveServer(t, { liveConnectionsMax: 1 });
    server.hub.declare(pattern, {
      plugin: 'tracking',
      authorize: (_principal, { orderId }) =>
        orderId === 'down'
          ? Promise.reject(new AppError('PLUGIN_UNAVAILABLE', 'it is restarting'))
          : Promise.resolve(orderId === '1' ? { allowed: true } : { allowed: false, reason: 'not your order' }),
    });
    const cases: [Parameters<typeof open>[1], number, string, string][] = [
      [{ token: '' }, 401, 'UNAUTHENTICATED', 'Cannot watch without a token: '],
      [{ token: 'wrong' }, 401, 'UNAUTHENTICATED', 'Cannot accept the token: it is wrong'],
      [{ path: 'orders/2/position' }, 403, 'FORBIDDEN', 'Cannot watch the channel: not your order'],
      [{ path: 'orders/2' }, 404, 'NOT_FOUND', 'Cannot watch the channel: no such channel'],
      [{ path: 'orders/%2e%2e%2f/position' }, 404, 'NOT_FOUND', 'Cannot watch the channel: no such channel'],
      [{ path: '' }, 404, 'NOT_FOUND', 'Cannot watch the channel: no such channel'],
      [{ path: 'orders/down/position' }, 503, 'PLUGIN_UNAVAILABLE', 'Cannot watch the channel: not available now'],
      [{ method: 'POST' }, 405, 'METHOD_NOT_ALLOWED', 'Cannot watch a channel but with GET'],
    ];
    for (const [options, status, code, detail] of cases) {
      const { response, text, ended } = await open(server, options);
      assert.equal(response.status, status);
      assert.equal(response.headers.get('content-type'), 'application/problem+json');
      await ended;
      const problem = JSON.parse(text()) as { code: string; status: number; detail: string };
      assert.deepEqual([problem.code, problem.status], [code, status]);
      assert.ok(problem.detail.startsWith(detail), problem.detail);
      if (status === 503) assert.equal(response.headers.get('retry-after'), '1');
      if (status === 405) assert.equal(response.headers.get('allow'), 'GET');
    }
    await until('all are gone', async () => (await server.sample('returnit_live_connections{transport="sse"}')) === 0);
    const first = await open(server);
    assert.equal(first.response.status, 200);
    const second = await open(server, { token: 'customer-lee' });
    assert.equal(second.response.status, 503);
    first.abort();
  });

  it('keeps no place for a client that left while its token was checked', async (t) => {
    const asked = Promise.withResolvers<void>();
    const verdict = Promise.withResolvers<Principal>();
    const verify = (token: string): Promise<Principal> => {
      if (token !== 'slow') return Promise.resolve({ role: 'customer', id: token });
      asked.resolve();
      return verdict.promise;
    };
    const server = await startLiveServer(t, {}, { verify });
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const abort = new AbortController();
    const left = fetch(`${server.url}/live/${channel}`, {
      headers: { authorization: 'Bearer slow' },
      signal: abort.signal,
    });
    await asked.promise;
    abort.abort();
    await assert.rejects(left, { name: 'AbortError' });
    // The server has seen the end of that connection when a later one is answered.
    (await open(server, { token: 'other' })).abort();
    verdict.resolve({ role: 'customer', id: 'slow' });
    (await open(server, { token: 'other' })).abort();
    await until(
      'nobody is left',
      async () => (await server.sample('returnit_live_connections{transport="sse"}')) === 0,
    );
  });

  it('ends a stream with an event when its token expires, and one that has not begun with 401', async (t) => {
    const server = await startLiveServer(
      t,
      {},
      {
        verify: (token) =>
          Promise.resolve({ principal: { role: 'customer', id: token }, expiresAtMs: Date.now() + 200 }),
      },
    );
    const undecided = Promise.withResolvers<{ allowed: true }>();
    server.hub.declare(pattern, {
      plugin: 'tracking',
      authorize: (_principal, { orderId }) =>
        orderId === 'slow' ? undecided.promise : Promise.resolve({ allowed: true, snapshot: { n: 0 } }),
    });
    const { response, text, ended } = await open(server);
    assert.equal(response.status, 200);
    await ended;
    assert.match(
      text(),
      /retry: 0\nevent: reconnect\ndata: {"channel":"orders\/1\/position","afterMs":0,"reason":"the token has expired: connect again with a new one"}\n\n$/,
    );
    const refused = await open(server, { path: 'orders/slow/position' });
    assert.equal(refused.response.status, 401);
    undecided.resolve({ allowed: true });
    await refused.ended;
    assert.match(refused.text(), /"code":"UNAUTHENTICATED"/);
    await until('all are gone', async () => (await server.sample('returnit_live_connections{transport="sse"}')) === 0);
  });

  it('ends streams with a reason when it stops, and answers later ones with 503', async (t) => {
    const server = await startLiveServer(t);
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const { text, ended } = await open(server);
    server.hub.stop();
    await ended;
    assert.match(
      text(),
      /retry: (\d+)\nevent: reconnect\ndata: {"channel":"orders\/1\/position","afterMs":\1,"reason":"the server is shutting down"}\n\n$/,
    );
    assert.equal((await open(server)).response.status, 503);
    assert.equal(await server.sample('returnit_live_connections_refused_total{reason="stopping"}'), 1);
  });

  it('goes on after Last-Event-ID: without the snapshot when the client has it, with the newest value when it has not', async (t) => {
    const server = await startLiveServer(t);
    server.hub.declare(pattern, {
      plugin: 'tracking',
      authorize: () => Promise.resolve({ allowed: true, snapshot: { n: 7 }, version: 7 }),
    });
    const current = await open(server, { since: 7 });
    const behind = await open(server, { since: 6 });
    await until('both have begun', () => current.text() !== '' && behind.text() !== '');
    server.hub.publish(channel, { n: 7 }, 7);
    server.hub.publish(channel, { n: 8 }, 8);
    server.hub.close(channel, 'delivered');
    await Promise.all([current.ended, behind.ended]);
    const change = `id: 8\nevent: change\ndata: {"channel":"${channel}","version":8,"data":{"n":8}}\n\n`;
    const closed = `event: closed\ndata: {"channel":"${channel}","reason":"delivered"}\n\n`;
    const resumed = `id: 7\nevent: resumed\ndata: {"channel":"${channel}","version":7}\n\n`;
    const snapshot = `id: 7\nevent: snapshot\ndata: {"channel":"${channel}","version":7,"data":{"n":7}}\n\n`;
    assert.equal(current.text(), resumed + change + closed);
    assert.equal(behind.text(), snapshot + change + closed);
    for (const outcome of ['current', 'behind'])
      assert.equal(await server.sample(`returnit_live_resumes_total{transport="sse",outcome="${outcome}"}`), 1);
  });

  it('cuts off a client that takes nothing, and holds one value for it until then', async (t) => {
    const server = await startLiveServer(t, { liveHeartbeatMs: 100, liveBufferMaxBytes: 10_000 });
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const { port } = new URL(server.url);
    const socket = connect(Number(port), '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write(`GET /live/${channel} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer customer-kim\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    const filling = 'x'.repeat(50_000);
    let n = 0;
    await until('it is cut off', async () => {
      for (let count = 0; count < 20; count += 1) server.hub.publish(channel, { n: (n += 1), filling }, n);
      return (await server.sample('returnit_live_connections{transport="sse"}')) === 0;
    });
    assert.equal(await server.sample('returnit_live_connections_ended_total{transport="sse",reason="dead"}'), 1);
    assert.ok((await server.sample('returnit_live_messages_conflated_total{transport="sse"}')) > 0);
  });
});
