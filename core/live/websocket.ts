import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { LiveHub, LiveSession } from './hub.ts';
import type { LiveConnection } from './connection.ts';
import { livePath, pathOf, toLiveProblem } from './live-request.ts';
import { liveEndReasons, type LiveEnd, type LiveMessage, type LiveTransport } from './watcher.ts';

export interface LiveWebSocketOptions {
  readonly config: Config;
  readonly hub: LiveHub;
}

export interface LiveWebSocket {
  /** For the HTTP server's `upgrade` event; true when the request is for the live endpoint. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  stop(): Promise<void>;
}

const protocol = 'returnit.live';
const messageMaxBytes = 1024;
const closingMaxMs = 1000;
/** RFC 6455, section 7.4: 4000 and above are the application's; 4401 as HTTP's 401. */
const closeCodes: Readonly<Record<LiveEnd, number>> = { stopping: 1001, expired: 4401 };

/**
 * WebSocket: the client sends `{"watch": "orders/…/position"}` or `{"unwatch": "…"}`, and receives
 * `{"type": "snapshot" | "change" | "closed" | "refused", "channel", "data" | "reason"}`.
 * The token never stands in the URL, where logs and proxies would keep it.
 */
export function createLiveWebSocket(options: LiveWebSocketOptions): LiveWebSocket {
  const { config, hub } = options;
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: messageMaxBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false),
  });
  const heartbeat = setInterval(() => server.clients.forEach(beat), config.liveHeartbeatMs);
  heartbeat.unref();

  async function open(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const session = await hub.authenticate(request);
    server.handleUpgrade(request, socket, head, (client) => serve(client, session));
  }

  function serve(client: WebSocket, session: LiveSession): void {
    // What was held back for a slow client goes out as soon as it has taken what came before.
    const transport = toTransport(client, () => {
      flushers.get(client)?.flush();
      if (client.isPaused && !isBehind(client)) client.resume();
    });
    client.on('error', () => client.terminate());
    try {
      const connection = hub.connect(session, transport);
      client.on('close', () => connection.end());
      client.on('pong', () => alive.add(client));
      client.on('message', (data, isBinary) => {
        receive(client, connection, isBinary ? undefined : toText(data));
        // Who asks without reading the answers is not listened to until they have left.
        if (isBehind(client)) client.pause();
      });
      alive.add(client);
      flushers.set(client, connection);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      client.close(1013, error.message);
    }
  }

  const alive = new WeakSet<WebSocket>();
  const flushers = new WeakMap<WebSocket, LiveConnection>();

  function isBehind(client: WebSocket): boolean {
    return client.bufferedAmount > config.liveBufferMaxBytes;
  }

  function beat(client: WebSocket): void {
    // No answer since the last beat: the connection is dead although the network has not said so.
    if (!alive.delete(client)) return client.terminate();
    client.ping();
    flushers.get(client)?.flush();
  }

  return {
    upgrade(request, socket, head) {
      if (pathOf(request) !== livePath) return false;
      socket.on('error', () => socket.destroy());
      open(request, socket, head).catch((error: unknown) => refuse(socket, error));
      return true;
    },
    async stop() {
      clearInterval(heartbeat);
      await closeAll(server);
    },
  };
}

/** A client that does not answer the closing is cut off. */
async function closeAll(server: WebSocketServer): Promise<void> {
  const closed = [...server.clients].map((client) => new Promise((resolve) => client.once('close', resolve)));
  for (const client of server.clients) client.close(closeCodes.stopping, liveEndReasons.stopping);
  const cut = setTimeout(() => server.clients.forEach((client) => client.terminate()), closingMaxMs);
  await Promise.all(closed);
  clearTimeout(cut);
  server.close();
}

function refuse(socket: Duplex, error: unknown): void {
  const { status, headers, body } = toLiveProblem(error);
  const fields = { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}

function toText(data: RawData): string {
  return (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString('utf8');
}

function receive(client: WebSocket, connection: LiveConnection, text: string | undefined): void {
  const request = text === undefined ? undefined : parseRequest(text);
  if (request === undefined) return client.close(1007, 'send {"watch": "<channel>"} or {"unwatch": "<channel>"}');
  if (request.watch !== undefined) void connection.watch(request.watch);
  else if (request.unwatch !== undefined) connection.unwatch(request.unwatch);
}

function parseRequest(text: string): { watch?: string; unwatch?: string } | undefined {
  try {
    const { watch, unwatch } = JSON.parse(text) as { watch?: unknown; unwatch?: unknown };
    if (typeof watch === 'string') return { watch };
    return typeof unwatch === 'string' ? { unwatch } : undefined;
  } catch {
    // Not JSON, or not an object: the client is told what would be right.
    return undefined;
  }
}

function toTransport(client: WebSocket, onSent: () => void): LiveTransport {
  const send = (message: LiveMessage): void => client.send(JSON.stringify(message), onSent);
  return {
    name: 'ws',
    get bufferedBytes() {
      return client.bufferedAmount;
    },
    send,
    refuse: (channel, { reason }) => send({ type: 'refused', channel, reason }),
    close: (end) => client.close(closeCodes[end], liveEndReasons[end]),
  };
}
