/** Live streams on a real HTTP server; tokens are `<role>-<id>`. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import WebSocket from 'ws';
import type { Principal, Role, WatchDecision } from '#plugin-api';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Viewer } from '#core/live/channel-table.ts';
import { createEventStreams } from '#core/live/event-stream.ts';
import { createLiveHub, type LiveHub, type LiveSession } from '#core/live/hub.ts';
import type { LiveRelay } from '#core/live/relay.ts';
import { createShareLinks, isShareLink, type ShareLinks } from '#core/live/share-links.ts';
import { createLiveWebSocket, type LiveWebSocket } from '#core/live/websocket.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import { createTestTelemetry } from '../plugin-host/test-telemetry.ts';
import { until } from '../../support/until.ts';

export interface Frame {
  readonly type: string;
  readonly channel: string;
  readonly data?: { readonly n: number };
  readonly reason?: string;
  readonly version?: number;
  readonly afterMs?: number;
}

export interface Client {
  readonly socket: WebSocket;
  readonly frames: Frame[];
  readonly closed: Promise<readonly [code: number, reason: string]>;
  send(message: unknown): void;
  next(type: string): Promise<Frame>;
}

export interface LiveServer {
  readonly hub: LiveHub;
  readonly sockets: LiveWebSocket;
  readonly links: ShareLinks;
  readonly metrics: Metrics;
  readonly url: string;
  connect(options?: { token?: string; by?: 'header' | 'protocol' | 'nothing' }): Client;
  /** The value of one sample of /metrics; 0 when it is not there. */
  sample(name: string): Promise<number>;
  stop(): Promise<void>;
}

export type Authorize = (viewer: Viewer, params: Readonly<Record<string, string>>) => Promise<WatchDecision>;

export const allow: Authorize = () => Promise.resolve({ allowed: true, snapshot: { n: 0 }, version: 0 });

export interface LiveServerOptions {
  readonly verify?: (token: string) => Promise<Principal | LiveSession>;
  readonly relay?: LiveRelay;
}

export async function startLiveServer(
  t: TestContext,
  given: Partial<Config> = {},
  { verify = verifyToken, relay }: LiveServerOptions = {},
): Promise<LiveServer> {
  const config = loadConfig({}, given);
  const telemetry = createTestTelemetry();
  const links = createShareLinks({ config, secret: new Uint8Array(32).fill(7) });
  const hub = createLiveHub({
    config,
    telemetry,
    ...(relay === undefined ? {} : { relay }),
    async verify(token) {
      if (isShareLink(token)) return links.verify(token);
      const session = await verify(token);
      return 'principal' in session ? session : { principal: session, expiresAtMs: Infinity };
    },
  });
  const streams = createEventStreams({ config, hub });
  const sockets = createLiveWebSocket({ config, hub });
  const server = createServer((request, response) => {
    if (!streams.take(request, response)) response.writeHead(404).end();
  });
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    if (!sockets.upgrade(request, socket, head)) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients: WebSocket[] = [];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      hub.stop();
      await sockets.stop();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    })();
    return stopped;
  };
  t.after(async () => {
    for (const client of clients) client.terminate();
    await stop();
  });
  return {
    hub,
    links,
    sockets,
    metrics: telemetry.metrics,
    url: `http://127.0.0.1:${port}`,
    connect(options = {}) {
      const { token = 'customer-kim', by = 'header' } = options;
      const socket = new WebSocket(
        `ws://127.0.0.1:${port}/live`,
        by === 'protocol' ? ['returnit.live', `bearer.${token}`] : [],
        by === 'header' ? { headers: { authorization: `Bearer ${token}` } } : {},
      );
      clients.push(socket);
      const frames: Frame[] = [];
      socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
      // What went wrong is seen in `closed`, or awaited as `unexpected-response`.
      socket.on('error', () => undefined);
      return {
        socket,
        frames,
        // Not once(): it rejects at the error that comes before.
        closed: new Promise((resolve) => socket.once('close', (code, reason) => resolve([code, reason.toString()]))),
        send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
        next: (type) => until(`${type} arrives`, () => frames.find((frame) => frame.type === type)),
      };
    },
    async sample(name) {
      const { body } = await telemetry.metrics.render();
      const line = body.split('\n').find((text) => text.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length + 1).split(' ')[0]);
    },
    stop,
  };
}

function verifyToken(token: string): Promise<Principal> {
  const [role, id] = token.split('-');
  if (id === undefined) return Promise.reject(new AppError('UNAUTHENTICATED', 'Cannot accept the token: it is wrong'));
  return Promise.resolve({ role: role as Role, id });
}
