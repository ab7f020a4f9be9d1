/** The browser client's decisions, in Node, which has what it uses of a browser; in Chromium: tests/integration/live-client.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { WebSocketServer } from 'ws';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { until } from '../../support/until.ts';
import { allow, startLiveServer, type Authorize, type LiveServer } from './live-server.ts';

interface BrowserClient {
  watch(
    channel: string,
    watch: { onValue: (data: { n: number }) => void; onClosed?: (reason: string) => void },
  ): () => void;
  stop(): void;
  transport(): 'ws' | 'sse';
}

type CreateLiveClient = (options: Readonly<Record<string, unknown>>) => BrowserClient;
const module = new URL('../../../core/live/client/live-client.js', import.meta.url);
const { createLiveClient } = (await import(module.href)) as { readonly createLiveClient: CreateLiveClient };

const transports = ['ws', 'sse'] as const;
const channelOf = (id: string): string => `orders/${id}/position`;

async function start(t: TestContext, authorize: Authorize = allow, config: Partial<Config> = {}): Promise<LiveServer> {
  const server = await startLiveServer(t, config);
  server.hub.declare('orders/{orderId}/position', { plugin: 'tracking', authorize });
  return server;
}

interface Followed {
  readonly client: BrowserClient;
  readonly states: readonly string[];
  /** By channel. */
  readonly seen: Readonly<Record<string, { readonly values: readonly number[]; readonly closed: readonly string[] }>>;
}

function follow(
  t: TestContext,
  url: string,
  options: Readonly<Record<string, unknown>>,
  ids: readonly string[],
): Followed {
  const states: string[] = [];
  const client = createLiveClient({
    url,
    token: () => 'customer-kim',
    delayMs: 20,
    delayMaxMs: 100,
    onState: (state: string) => states.push(state),
    ...options,
  });
  t.after(() => client.stop());
  const seen: Record<string, { values: number[]; closed: string[] }> = {};
  for (const id of ids) {
    const own = { values: [] as number[], closed: [] as string[] };
    seen[id] = own;
    client.watch(channelOf(id), {
      onValue: ({ n }) => own.values.push(n),
      onClosed: (reason) => own.closed.push(reason),
    });
  }
  return { client, states, seen };
}

const lastOf = ({ seen }: Followed, id: string): number | undefined => seen[id]?.values.at(-1);

describe('createLiveClient()', () => {
  for (const transport of transports) {
    it(`asks again for the one channel that could not be decided on, the others stay (${transport})`, async (t) => {
      let failures = 3;
      const server = await start(t, (viewer, params) => {
        if (params['orderId'] !== 'b' || (failures -= 1) < 0) return allow(viewer, params);
        return Promise.reject(new AppError('PLUGIN_UNAVAILABLE', 'Cannot ask tracking: it is restarting'));
      });
      const followed = follow(t, server.url, { transport }, ['a', 'b']);
      await until('the other is shown as well', () => lastOf(followed, 'b') === 0);
      assert.deepEqual(followed.seen, { a: { values: [0], closed: [] }, b: { values: [0], closed: [] } });
      assert.deepEqual(followed.states, ['connecting', 'open']);
    });

    it(`tells a refusal and an end, and asks no more (${transport})`, async (t) => {
      const server = await start(t, (viewer, params) =>
        params['orderId'] === 'b' ? Promise.resolve({ allowed: false, reason: 'not yours' }) : allow(viewer, params),
      );
      const followed = follow(t, server.url, { transport }, ['a', 'b']);
      await until('it is refused', () => followed.seen['b']?.closed.length === 1);
      assert.match(followed.seen['b']?.closed[0] ?? '', /not yours$/);
      await until('the other is shown', () => lastOf(followed, 'a') === 0);
      server.hub.close(channelOf('a'), 'it is over');
      await until('nothing is left', () => followed.states.at(-1) === 'idle');
      assert.deepEqual(followed.seen['a'], { values: [0], closed: ['it is over'] });
    });

    it(`shows nothing twice or backwards (${transport})`, async (t) => {
      const server = await start(t);
      const followed = follow(t, server.url, { transport }, ['a']);
      await until('it is shown', () => lastOf(followed, 'a') === 0);
      for (const version of [2, 1, 2, 3]) server.hub.publish(channelOf('a'), { n: version }, version);
      await until('the newest is shown', () => lastOf(followed, 'a') === 3);
      assert.deepEqual(followed.seen['a']?.values, [0, 2, 3]);
    });
  }

  it('gives up a connection without a word (ws)', async (t) => {
    const mute = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'returnit.live' });
    t.after(() => mute.close());
    await once(mute, 'listening');
    const asked: unknown[] = [];
    mute.on('connection', (socket) => socket.on('message', (data: Buffer) => asked.push(JSON.parse(data.toString()))));
    const { port } = mute.address() as AddressInfo;
    const { states } = follow(t, `http://127.0.0.1:${port}`, { transport: 'ws', silenceMs: 500 }, ['a']);
    await until('it comes back', () => states.filter((state) => state === 'open').length > 1);
    assert.deepEqual(asked.slice(0, 2), [{ watch: channelOf('a') }, { ping: 1 }]);
  });

  it('gives up a connection without a word (sse)', async (t) => {
    // No heartbeat within the silence.
    const server = await start(t, allow, { liveHeartbeatMs: 60_000 });
    const { states } = follow(t, server.url, { transport: 'sse', silenceMs: 500 }, ['a']);
    await until('it comes back', () => states.filter((state) => state === 'open').length > 1);
  });

  it('asks for a token again, and shows a fault of the page as its own', async (t) => {
    const server = await start(t);
    const faults: unknown[] = [];
    Object.assign(globalThis, { reportError: (error: unknown) => faults.push(error) });
    t.after(() => Reflect.deleteProperty(globalThis, 'reportError'));
    const given = ['wrong', 'wrong', 'customer-kim'];
    const token = (): string => given.shift() ?? 'customer-kim';
    const followed = follow(t, server.url, { transport: 'ws', token }, ['a']);
    const fault = new Error('a fault of the page');
    followed.client.watch(channelOf('b'), {
      onValue() {
        throw fault;
      },
    });
    await until('both are shown', () => lastOf(followed, 'a') === 0 && faults.length > 0);
    assert.deepEqual(faults, [fault]);
    assert.deepEqual(given, []);
    assert.throws(() => followed.client.watch(channelOf('a'), { onValue: () => undefined }), /it is watched already$/);
  });

  it('comes back after pauses that double up to the longest, at once when asked to, and anew after a value', async (t) => {
    const server = await startLiveServer(
      t,
      {},
      // Its end, a moment later, comes with the server's wish: at once.
      { verify: (id) => Promise.resolve({ principal: { role: 'customer', id }, expiresAtMs: Date.now() + 300 }) },
    );
    server.hub.declare('orders/{orderId}/position', { plugin: 'tracking', authorize: allow });
    // The longest of the random pauses.
    t.mock.method(Math, 'random', () => 1);
    const timers = t.mock.method(globalThis, 'setTimeout');
    const pauses: unknown[] = [];
    let tokens = 0;
    const followed = follow(
      t,
      server.url,
      {
        transport: 'ws',
        delayMs: 1,
        delayMaxMs: 16,
        token() {
          tokens += 1;
          if (tokens !== 8) throw new Error('there is no token');
          return 'kim';
        },
        onState: (state: string) => state === 'waiting' && pauses.push(timers.mock.calls.at(-1)?.arguments[1]),
      },
      ['a'],
    );
    await until('it has lost its connection', () => pauses.length >= 10);
    assert.deepEqual(followed.seen['a']?.values, [0]);
    assert.deepEqual(pauses.slice(0, 10), [1, 2, 4, 8, 16, 16, 16, 0, 2, 4]);
  });

  it('stops for good', async (t) => {
    const server = await start(t);
    const followed = follow(t, server.url, {}, ['a']);
    await until('it is shown', () => lastOf(followed, 'a') === 0);
    followed.client.stop();
    await until(
      'the server has noticed',
      async () => (await server.sample('returnit_live_connections{transport="ws"}')) === 0,
    );
    assert.equal(followed.states.at(-1), 'stopped');
    assert.throws(() => followed.client.watch(channelOf('b'), { onValue: () => undefined }), /the client is stopped$/);
  });
});
