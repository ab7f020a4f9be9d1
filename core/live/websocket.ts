import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { LiveHub, LiveSession } from './hub.ts';
import type { LiveConnection } from './connection.ts';
import { toSocketText } from './live-message.ts';
import { livePath, pathOf, toLiveProblem } from './live-request.ts';
import { parseSocketRequest, socketRequestForm, type SocketRequest } from './socket-request.ts';
import { liveEndReasons, type LiveEnd, type LiveTransport } from './watcher.ts';

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
/** Room to take up some fifty channels again in one message. */
const messageMaxBytes = 8192;
const closingMaxMs = 1000;
/** RFC 6455, section 7.4: 4000 and above are the application's; 4401 as HTTP's 401, 4408 as its 408. */
const closeCodes: Readonly<Record<LiveEnd, number>> = { stopping: 1001, expired: 4401, idle: 4408 };

/**
 * WebSocket: the client sends `{"watch": "orders/…/position"}`, with `"since": <version>` when it has a value already,
 * `{"resume": {"<channel>": <version>}}` for many, or `{"unwatch": "…"}`, and receives
 * `{"type": "snapshot" | "change" | "resumed" | "closed" | "refused", "channel", "version", "data" | "reason", "code"}`.
 * Before the server ends the connection it says `{"type": "reconnect", "afterMs", "reason"}`. The server pings; a client,
 * which in a browser does not see that, may send `{"ping": n}` and gets `{"type": "pong", "ping": n}`.
 * The token never stands in the URL, where logs and proxies would keep it.
 */
export function createLiveWebSocket(options: LiveWebSocketOptions): LiveWebSocket {
  const { config, hub } = options;
  const server = createSocketServer();
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
        alive.add(client);
        receive(client, connection, isBinary ? undefined : parseSocketRequest(toText(data)));
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
    if (!alive.delete(client)) {
      flushers.get(client)?.end('dead');
      return client.terminate();
    }
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

function createSocketServer(): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    maxPayload: messageMaxBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false),
  });
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

function receive(client: WebSocket, connection: LiveConnection, request: SocketRequest | undefined): void {
  if (request === undefined) {
    connection.end('protocol');
    return client.close(1007, socketRequestForm);
  }
  for (const { channel, since } of request.watch) void connection.watch(channel, since === undefined ? {} : { since });
  for (const channel of request.unwatch) connection.unwatch(channel);
  if (request.ping !== undefined) client.send(JSON.stringify({ type: 'pong', ping: request.ping }));
}

function toTransport(client: WebSocket, onSent: () => void): LiveTransport {
  const send: LiveTransport['send'] = (message) => client.send(toSocketText(message), onSent);
  return {
    name: 'ws',
    get bufferedBytes() {
      return client.bufferedAmount;
    },
    send,
    refuse: (channel, { code, reason }) => send({ type: 'refused', channel, reason, code }),
    close(end, notice) {
      client.send(JSON.stringify({ type: 'reconnect', ...notice }));
      client.close(closeCodes[end], liveEndReasons[end]);
    },
  };
}
