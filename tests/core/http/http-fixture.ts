import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HttpReply, Role } from '#plugin-api';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { BodyPiece } from '#core/http/body/body-stream.ts';
import type { AuthenticateDevice } from '#core/http/device-credentials.ts';
import { createAuthenticator, type Authenticator } from '#core/http/authentication.ts';
import { createRouteTable, type RouteTable } from '#core/http/route-table.ts';
import { createResponseCache, type ResponseCache } from '#core/http/response-cache.ts';
import { createStaticAssets } from '#core/http/static-assets.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '#core/http/server.ts';
import { createHttpCapability, type HttpCapabilityOptions } from '#core/plugin-host/capabilities/http.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { HandlerCalls, PluginCalls } from '#core/plugin-host/protocol/calls.ts';
import { createLogger, type Logger } from '#core/telemetry/logger.ts';
import { createMetrics, type Metrics } from '#core/telemetry/metrics.ts';
import type { Tracing } from '#core/telemetry/tracing.ts';
import { callCapability } from '../../support/fake-instance.ts';
import { startTestTracing } from '../../support/test-tracing.ts';

export type HandlerInput = HandlerCalls['http.route']['input'];
export type FakeHandler = (
  input: HandlerInput,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
) => unknown;

/** A plugin's process as HTTP sees it: answers by number, and can die. */
export interface FakePlugin {
  readonly instance: PluginInstance;
  /** Handler 0. */
  handler: FakeHandler;
  /** Handler 1: the next piece of a stream. */
  piece: (input: { stream: number; end?: true }, options: { readonly signal: AbortSignal }) => unknown;
  readonly inputs: HandlerInput[];
  die(): void;
}

export function createFakePlugin(name = 'orders', id = `${name}-1`): FakePlugin {
  const process = new AbortController();
  const plugin: FakePlugin = {
    handler: () => ({ status: 200, body: { ok: true } }) satisfies HttpReply,
    piece: () => ({ bytes: '', done: true }),
    inputs: [],
    die: () => process.abort(),
    instance: {
      plugin: { name, version: '1.0.0' },
      id,
      gone: process.signal,
      async handle(number, input, options = {}) {
        if (process.signal.aborted)
          throw new AppError('PLUGIN_UNAVAILABLE', 'Cannot call the plugin: its process is gone');
        // As the real one does: what crosses is JSON.
        const sent = JSON.parse(JSON.stringify(input)) as HandlerInput;
        if (number === 0) plugin.inputs.push(sent);
        const { promise, reject } = Promise.withResolvers<never>();
        const onGone = (): void =>
          reject(new AppError('PLUGIN_UNAVAILABLE', 'Cannot finish the call: the process died'));
        const onAbort = (): void => reject(new AppError('CANCELLED', 'Cannot finish the call: it was cancelled'));
        process.signal.addEventListener('abort', onGone);
        options.signal?.addEventListener('abort', onAbort);
        try {
          const work = Promise.resolve(
            number === 0
              ? plugin.handler(sent, options as Parameters<FakeHandler>[1])
              : plugin.piece(sent as never, options as never),
          );
          const reply = await Promise.race([work, promise]);
          return reply === undefined ? undefined : (JSON.parse(JSON.stringify(reply)) as unknown);
        } finally {
          process.signal.removeEventListener('abort', onGone);
          options.signal?.removeEventListener('abort', onAbort);
        }
      },
    },
  };
  return plugin;
}

/** One device, `d1.phone` with the password `right`. `away`: its credentials cannot be looked up; `often`: it failed too often. */
const fakeDevices: AuthenticateDevice = ({ username, password }) => {
  if (username === 'away') return Promise.reject(new AppError('DATABASE_UNREACHABLE', 'Cannot reach the database'));
  if (username === 'often') return Promise.resolve({ failure: 'rate-limited' });
  if (username !== 'd1.phone') return Promise.resolve({ failure: 'unknown-user' });
  if (password !== 'right') return Promise.resolve({ failure: 'wrong-secret' });
  return Promise.resolve({ principal: { id: username, role: 'device', publish: ['drivers/d1/location'] } });
};

export interface HttpFixture {
  readonly http: HttpServer;
  readonly port: number;
  readonly url: string;
  readonly table: RouteTable;
  readonly responseCache: ResponseCache;
  readonly authenticator: Authenticator;
  readonly tracing: Tracing;
  readonly config: Config;
  /** Every log line so far. */
  readonly logs: Record<string, unknown>[];
  route(plugin: FakePlugin, route: Partial<PluginCalls['http.route']['args']>): Promise<unknown>;
  /** The next piece of a body that the plugin was given, as its process fetches it. */
  read(plugin: FakePlugin, body: unknown): Promise<BodyPiece>;
  request(
    path: string,
    init?: RequestInit & { readonly role?: Role; readonly subject?: string; readonly json?: unknown },
  ): Promise<Response>;
  /** Sends these bytes and reads until the server closes. */
  raw(text: string): Promise<string>;
  openSocket(): Promise<Socket>;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

/** Keys and limits, which most tests of HTTP do without. */
export type Doors = Pick<HttpServerOptions, 'apiKeys' | 'budgets' | 'idempotency'>;
export interface DoorParts {
  readonly config: Config;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export async function startHttpFixture(
  overrides: Partial<Config> = {},
  stateOf: HttpCapabilityOptions['stateOf'] = () => 'ready',
  doors: (parts: DoorParts) => Doors = () => ({}),
): Promise<HttpFixture> {
  const dataDir = await mkdtemp(join(tmpdir(), 'returnit-http-'));
  const config = loadConfig({}, { httpPort: 0, dataDir, logLevel: 'debug', ...overrides });
  const logs: Record<string, unknown>[] = [];
  const logger = createLogger({
    level: config.logLevel,
    destination: { write: (line) => void logs.push(JSON.parse(line)) },
  });
  const metrics = createMetrics({ labelSetsMax: 500 });
  const tracing = await startTestTracing();
  const authenticator = await createAuthenticator({ config });
  const table = createRouteTable();
  const responseCache = createResponseCache(config, metrics);
  const http = createHttpServer({
    config,
    telemetry: { metrics, logger },
    routes: table,
    authenticator,
    authenticateDevice: fakeDevices,
    responseCache,
    assets: createStaticAssets(table),
    version: '1.2.3',
    ...doors({ config, metrics, logger }),
  });
  const { port } = await http.start();
  const capability = createHttpCapability({ routeTable: table, config, stateOf });
  const sockets: Socket[] = [];

  const openSocket = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    sockets.push(socket);
    // A cut connection is what some of the tests are about.
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  return {
    http,
    port,
    table,
    responseCache,
    authenticator,
    tracing,
    config,
    logs,
    openSocket,
    url: `http://127.0.0.1:${port}`,
    route(plugin, route) {
      const args = {
        verb: 'get',
        path: '/orders/{orderId}',
        summary: 'An order',
        roles: ['customer'],
        response: { 200: {} },
        handler: 0,
        ...route,
      };
      return callCapability(capability, plugin.instance, { method: 'route', args });
    },
    read: (plugin, body) =>
      callCapability(capability, plugin.instance, { method: 'read', args: { body } }) as Promise<BodyPiece>,
    async request(path, { role, subject, json, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (role !== undefined)
        headers.set(
          'authorization',
          `Bearer ${await authenticator.issueToken({ role, subject: subject ?? `${role}-1` })}`,
        );
      if (json !== undefined) headers.set('content-type', 'application/json');
      return fetch(`http://127.0.0.1:${port}${path}`, {
        ...init,
        headers,
        ...(json === undefined ? {} : { method: init.method ?? 'POST', body: JSON.stringify(json) }),
      });
    },
    async raw(text) {
      const socket = await openSocket();
      let received = '';
      socket.on('data', (chunk: string) => (received += chunk));
      socket.write(text);
      await once(socket, 'close');
      return received;
    },
    metrics: async () => (await metrics.render()).body,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await http.stop({ timeoutMs: 1000 });
      await tracing.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}
