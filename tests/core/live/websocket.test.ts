import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import type { LiveSession } from '#core/live/hub.ts';
import { socketRequestForm } from '#core/live/socket-request.ts';
import { until } from '../../support/until.ts';
import { allow, startLiveServer } from './live-server.ts';

const pattern = 'orders/{orderId}/position';
const channel = 'orders/1/position';

describe('live by WebSocket', { timeout: 60_000 }, () => {
  it('sends the snapshot and every change to who may watch, and the token may come in either way', async (t) => {
    const server = await startLiveServer(t);
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    for (const by of ['header', 'protocol'] as const) {
      const client = server.connect({ by });
      await once(client.socket, 'open');
      assert.equal(client.socket.protocol, by === 'protocol' ? 'returnit.live' : '');
      client.send({ watch: channel });
      assert.deepEqual(await client.next('snapshot'), { type: 'snapshot', channel, version: 0, data: { n: 0 } });
      server.hub.publish(channel, { n: 1 }, 1);
      assert.deepEqual(await client.next('change'), { type: 'change', channel, version: 1, data: { n: 1 } });
      client.send({ unwatch: channel });
      client.send({ watch: 'orders/2/position' });
      await until('the second channel is watched', () => client.frames.at(-1)?.channel === 'orders/2/position');
      server.hub.publish(channel, { n: 2 }, 2);
      server.hub.publish('orders/2/position', { n: 3 }, 3);
      await until('its change arrives', () => client.frames.at(-1)?.data?.n === 3);
      assert.ok(!client.frames.some(({ data }) => data?.n === 2));
      client.socket.close();
      await client.closed;
    }
    await until('all are gone', async () => (await server.sample('returnit_live_connections{transport="ws"}')) === 0);
    assert.equal(await server.sample('returnit_live_watch_requests_total{plugin="tracking",outcome="allowed"}'), 4);
  });

  it('answers a missing or wrong token with problem details before the upgrade', async (t) => {
    const server = await startLiveServer(t);
    for (const options of [{ by: 'nothing' }, { token: 'wrong' }, { token: 'wrong', by: 'protocol' }] as const) {
      const [, response] = (await once(server.connect(options).socket, 'unexpected-response')) as [
        unknown,
        IncomingMessage,
      ];
      assert.equal(response.statusCode, 401);
      assert.equal(response.headers['www-authenticate'], 'Bearer');
      const text = (await response.toArray()).join('');
      const problem = JSON.parse(text) as Record<string, unknown>;
      assert.equal(problem['code'], 'UNAUTHENTICATED');
      assert.equal(problem['status'], 401);
    }
    assert.equal(await server.sample('returnit_live_connections_refused_total{reason="unauthenticated"}'), 3);
  });

  it('tells a refusal, its reason and unknown channels, and keeps the connection', async (t) => {
    const server = await startLiveServer(t);
    server.hub.declare(pattern, {
      plugin: 'tracking',
      authorize: (_principal, { orderId }) =>
        orderId === 'down'
          ? Promise.reject(new AppError('PLUGIN_UNAVAILABLE', 'Cannot ask tracking: it is restarting'))
          : Promise.resolve({ allowed: false, reason: 'not your order' }),
    });
    const client = server.connect();
    await once(client.socket, 'open');
    const reasons: [string, string, string][] = [
      [channel, 'not your order', 'FORBIDDEN'],
      ['orders/down/position', 'not available now, try again later', 'PLUGIN_UNAVAILABLE'],
      ['nothing/1', 'no such channel', 'NOT_FOUND'],
      ['../../etc', 'no such channel', 'NOT_FOUND'],
    ];
    for (const [asked, reason, code] of reasons) {
      client.send({ watch: asked });
      await until('an answer arrives', () => client.frames.at(-1)?.channel === asked);
      assert.deepEqual(client.frames.at(-1), { type: 'refused', channel: asked, reason, code });
    }
    server.hub.publish(channel, { n: 1 });
    for (const outcome of ['denied', 'error'])
      assert.equal(
        await server.sample(`returnit_live_watch_requests_total{plugin="tracking",outcome="${outcome}"}`),
        1,
      );
    assert.equal(await server.sample('returnit_live_watch_requests_total{plugin="none",outcome="unknown"}'), 2);
    assert.equal(client.frames.length, 4);
  });

  it('ends a connection that sends something else, saying what would be right', async (t) => {
    const server = await startLiveServer(t);
    const forms = ['{"watch": "a", "since": "1"}', '{"resume": ["a"]}', '{"resume": {"a": "1"}}', '{"ping": "x"}'];
    for (const message of [
      '',
      '{',
      '[]',
      'null',
      '{"watch": 1}',
      '{"subscribe": "x"}',
      Buffer.from('{"watch":"a"}'),
      ...forms,
    ]) {
      const client = server.connect();
      await once(client.socket, 'open');
      client.socket.send(message);
      assert.deepEqual(await client.closed, [1007, socketRequestForm]);
    }
    const client = server.connect();
    await once(client.socket, 'open');
    client.send({ watch: 'x'.repeat(9000) });
    assert.equal((await client.closed)[0], 1009);
  });

  it('holds to the limits of a principal, of all, and of channels', async (t) => {
    const server = await startLiveServer(t, { liveConnectionsPerPrincipalMax: 2, liveConnectionsMax: 3 });
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const open = [server.connect(), server.connect(), server.connect({ token: 'customer-lee' })];
    await Promise.all(open.map(({ socket }) => once(socket, 'open')));
    const refused = async (token: string): Promise<string> => {
      const [code, reason] = await server.connect({ token }).closed;
      assert.equal(code, 1013);
      return reason;
    };
    await until(
      'all are counted',
      async () => (await server.sample('returnit_live_connections{transport="ws"}')) === 3,
    );
    assert.equal(await refused('customer-kim'), 'Cannot open a live connection: 2 are open already');
    assert.equal(await refused('ops-sam'), 'Cannot open a live connection: 3 are open already');
    assert.equal(await server.sample('returnit_live_connections_refused_total{reason="overloaded"}'), 1);
    assert.equal(await server.sample('returnit_live_connections_refused_total{reason="principal"}'), 1);

    const [client] = open;
    assert.ok(client !== undefined);
    for (let index = 0; index <= 50; index += 1) client.send({ watch: `orders/${index}/position` });
    assert.equal((await client.next('refused')).reason, 'at most 50 channels a connection');
    await until('the others are watched', () => client.frames.length === 51);
  });

  it('sends a client that does not read the newest value alone, and it arrives', async (t) => {
    const server = await startLiveServer(t, { liveBufferMaxBytes: 10_000 });
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const client = server.connect();
    await once(client.socket, 'open');
    client.send({ watch: channel });
    await client.next('snapshot');
    client.socket.pause();
    const filling = 'x'.repeat(20_000);
    const conflated = (): Promise<number> => server.sample('returnit_live_messages_conflated_total{transport="ws"}');
    let last = 0;
    await until('the connection is full', async () => {
      for (let count = 0; count < 100; count += 1) server.hub.publish(channel, { n: (last += 1), filling }, last);
      return (await conflated()) > 0;
    });
    const before = await conflated();
    for (let count = 0; count < 1000; count += 1) server.hub.publish(channel, { n: (last += 1), filling }, last);
    assert.ok((await conflated()) - before >= 999);
    client.socket.resume();
    await until('the newest value arrives', () => client.frames.at(-1)?.data?.n === last);
    const seen = client.frames.map(({ data }) => data?.n ?? 0);
    assert.ok(seen.length < last - 900);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
  });

  it('ends connections that answer no heartbeat, and only those', async (t) => {
    const server = await startLiveServer(t, { liveHeartbeatMs: 100 });
    const dead = server.connect({ token: 'driver-dead' });
    const live = server.connect();
    await Promise.all([dead, live].map(({ socket }) => once(socket, 'open')));
    dead.socket.pause();
    await until('one is left', async () => (await server.sample('returnit_live_connections{transport="ws"}')) === 1);
    let pings = 0;
    live.socket.on('ping', () => (pings += 1));
    await until('it is still asked', () => pings > 2);
    assert.equal(live.socket.readyState, live.socket.OPEN);
  });

  it('tells all clients when it stops, and takes no more', async (t) => {
    const server = await startLiveServer(t);
    const clients = [server.connect(), server.connect()];
    await Promise.all(clients.map(({ socket }) => once(socket, 'open')));
    await until(
      'both are counted',
      async () => (await server.sample('returnit_live_connections{transport="ws"}')) === 2,
    );
    await server.stop();
    for (const client of clients) {
      assert.deepEqual(await client.closed, [1001, 'the server is shutting down']);
      const { afterMs = -1, reason } = await client.next('reconnect');
      assert.equal(reason, 'the server is shutting down');
      assert.ok(afterMs >= 0 && afterMs <= 5000);
    }
    assert.equal(await server.sample('returnit_live_connections_ended_total{transport="ws",reason="stopping"}'), 2);
    assert.equal(await server.sample('returnit_live_connections{transport="ws"}'), 0);
    const session = { principal: { id: 'kim', role: 'customer' }, expiresAtMs: Infinity } as const;
    assert.throws(() => server.hub.connect(session, {} as never), { code: 'SHUTTING_DOWN' });
  });

  it('closes a connection with 4401 when its token expires, and sends it nothing more', async (t) => {
    const verify = (token: string): Promise<LiveSession> =>
      Promise.resolve({
        principal: { role: 'customer', id: token },
        expiresAtMs: token === 'short' ? Date.now() + 300 : Infinity,
      });
    const server = await startLiveServer(t, {}, { verify });
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const long = server.connect({ token: 'long' });
    await once(long.socket, 'open');
    long.send({ watch: channel });
    await long.next('snapshot');
    const short = server.connect({ token: 'short' });
    assert.deepEqual(await short.closed, [4401, 'the token has expired: connect again with a new one']);
    await until(
      'its place is free',
      async () => (await server.sample('returnit_live_connections{transport="ws"}')) === 1,
    );
    server.hub.publish(channel, { n: 1 }, 1);
    assert.deepEqual((await long.next('change')).data, { n: 1 });
    assert.ok(!short.frames.some(({ type }) => type === 'change'));
  });

  it('lets a connection outlive its token by LIVE_TOKEN_GRACE_MS', async (t) => {
    const expiresAtMs = Date.now();
    const verify = (): Promise<LiveSession> =>
      Promise.resolve({ principal: { role: 'customer', id: 'kim' }, expiresAtMs });
    const server = await startLiveServer(t, { liveTokenGraceMs: 300 }, { verify });
    assert.equal((await server.connect().closed)[0], 4401);
    assert.ok(Date.now() >= expiresAtMs + 300);
  });
});
