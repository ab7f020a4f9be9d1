import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createHttpApp, type HttpAppOptions } from './app.ts';
import type { Authenticator } from './authentication.ts';
import { answerClientError } from './client-error.ts';
import { addCoreRoutes } from './core-routes.ts';
import type { AuthenticateDevice } from './device-credentials.ts';
import type { RequestInFlight } from './middleware/cancellation.ts';
import type { ResponseCache } from './response-cache.ts';
import type { RouteTable } from './route-table.ts';
import type { StaticAssets } from './static-assets.ts';

export interface HttpServerOptions extends Pick<HttpAppOptions, 'apiKeys' | 'budgets' | 'idempotency'> {
  readonly config: Pick<
    Config,
    'httpHost' | 'httpPort' | 'httpHeadersMaxBytes' | 'httpKeepAliveMs' | 'httpConnectionsMax' | 'shutdownTimeoutMs'
  > &
    HttpAppOptions['config'];
  readonly telemetry: Telemetry;
  readonly routes: RouteTable;
  readonly authenticator: Pick<Authenticator, 'remembered' | 'verify' | 'publicKeys'>;
  readonly authenticateDevice: AuthenticateDevice;
  readonly responseCache: ResponseCache;
  readonly assets: StaticAssets;
  /** The platform's version. */
  readonly version: string;
  /** Offered each request first; true when it was one for a stream, which lives longer than a request. @default none are */
  readonly takeStream?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface HttpServer {
  /** For `upgrade`: live streams share the port. */
  readonly server: Server;
  /** How many requests have no answer yet, not even the beginning of one. */
  requestsWaiting(): number;
  /** Resolves when it listens. @throws {AppError} PORT_IN_USE */
  start(): Promise<{ readonly port: number }>;
  /** Accepts nothing more, lets what is in flight finish, cuts off the rest at the deadline. Twice is once. */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>;
}

const headersTimeoutMaxMs = 10_000;
const headersCountMax = 100;
const timeoutCheckMs = 1000;

/**
 * Every wait and every size has its limit. The states: created → listening → draining → stopped; while draining, answers
 * carry `Connection: close`, so that clients and load balancers take their next request elsewhere.
 */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { config, telemetry } = options;
  const inFlight = new Set<RequestInFlight>();
  const sockets = new Set<Socket>();
  let isDraining = false;
  let stopped: Promise<void> | undefined;

  addCoreRoutes(options);
  const handle = createHttpApp({ ...options, inFlight }).callback();
  const server = createServer(
    {
      maxHeaderSize: config.httpHeadersMaxBytes,
      // The body's own deadline answers with a problem; this one is behind it, and the longest must fit.
      requestTimeout: Math.max(config.httpRequestTimeoutMs, config.httpLinesTimeoutMs) + timeoutCheckMs,
      headersTimeout: Math.min(headersTimeoutMaxMs, config.httpRequestTimeoutMs),
      keepAliveTimeout: config.httpKeepAliveMs,
      connectionsCheckingInterval: timeoutCheckMs,
    },
    (request, response) => {
      if (isDraining) response.setHeader('connection', 'close');
      if (options.takeStream?.(request, response) === true) return;
      void handle(request, response);
    },
  );
  server.maxConnections = config.httpConnectionsMax;
  server.maxHeadersCount = headersCountMax;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('clientError', answerClientError);
  observeConnections(server, telemetry, { max: config.httpConnectionsMax, sockets });

  return {
    server,
    requestsWaiting() {
      let waiting = 0;
      for (const { response } of inFlight) if (!response.headersSent) waiting += 1;
      return waiting;
    },
    start: () => listen(server, config),
    stop({ timeoutMs = config.shutdownTimeoutMs } = {}) {
      isDraining = true;
      for (const { response } of inFlight) if (!response.headersSent) response.setHeader('connection', 'close');
      stopped ??= drain(server, timeoutMs, () => {
        for (const { controller } of inFlight) controller.abort();
        for (const socket of sockets) socket.destroy();
      });
      return stopped;
    },
  };
}

function listen(
  server: Server,
  { httpHost, httpPort }: HttpServerOptions['config'],
): Promise<{ readonly port: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly port: number }>();
  const onError = (error: NodeJS.ErrnoException): void => {
    const inUse = error.code === 'EADDRINUSE';
    const what = inUse ? 'another program listens there; set HTTP_PORT to a free port, or to 0' : error.message;
    reject(
      new AppError(
        inUse ? 'PORT_IN_USE' : 'INVALID_CONFIG',
        `Cannot listen on HTTP_HOST ${httpHost}, HTTP_PORT ${httpPort}: ${what}`,
        {
          details: { variable: 'HTTP_PORT', port: httpPort },
          cause: error,
        },
      ),
    );
  };
  server.once('error', onError);
  server.listen(httpPort, httpHost, () => {
    server.off('error', onError);
    resolve({ port: (server.address() as AddressInfo).port });
  });
  return promise;
}

/** Node closes idle connections by itself once the server is closing; those in use end with their answer. */
function drain(server: Server, timeoutMs: number, cut: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(cut, timeoutMs);
  server.close(() => {
    clearTimeout(timer);
    resolve();
  });
  return promise;
}

function observeConnections(
  server: Server,
  telemetry: Telemetry,
  { max, sockets }: { readonly max: number; readonly sockets: ReadonlySet<Socket> },
): void {
  const open = telemetry.metrics.gauge('returnit_http_connections');
  telemetry.metrics.gauge('returnit_http_connections_max').set({}, max);
  const forget = telemetry.metrics.onCollect(() => open.set({}, sockets.size));
  server.once('close', forget);
  let dropped = 0;
  const logger = telemetry.logger.child({ component: 'http' });
  server.on('drop', () => {
    // One line for the first of each thousand: a flood of connections must not become a flood of logs.
    if (dropped % 1000 === 0)
      logger.warn({ connectionsMax: max, dropped: dropped + 1 }, 'Connection refused: HTTP_CONNECTIONS_MAX are open');
    dropped += 1;
  });
}
