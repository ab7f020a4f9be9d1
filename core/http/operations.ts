import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { errorCodes, type ErrorCode } from '#core/errors/codes.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { RunningTelemetry } from '#core/telemetry/telemetry.ts';
import { toTraceSummaries, toTraceTree } from '#core/telemetry/trace-tree.ts';
import type { Tracing } from '#core/telemetry/tracing.ts';
import { problemContentType, problemType } from '#core/errors/problem-type.ts';

export interface Check {
  readonly ready: boolean;
  readonly state: string;
  readonly detail?: string;
  /** False for what may be missing without the node being taken out, such as one plugin. @default true */
  readonly required?: boolean;
}

export interface Readiness {
  /** Whether this node may be given traffic. */
  readonly ready: boolean;
  /** By component (`database`, `broker`, …) and by plugin (`plugin:orders`). */
  readonly checks: Readonly<Record<string, Check>>;
}

export interface OperationsOptions {
  readonly config: Pick<Config, 'opsHost' | 'opsPort'>;
  readonly telemetry: Pick<RunningTelemetry, 'metrics' | 'logger' | 'tracing'>;
  /** Must answer from memory: it is asked every few seconds and must not fail with what it reports on. */
  readonly readiness: () => Readiness;
}

export interface OperationsServer {
  /** @throws {AppError} PORT_IN_USE */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  stop(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | AsyncIterable<string>;
}

const tracesShown = 100;
const requestTimeoutMs = 10_000;

/** Metrics, health and recent traces on a port of their own, which is not for the public. */
export function createOperationsServer(options: OperationsOptions): OperationsServer {
  const { config, telemetry } = options;
  const server = createServer((request, response) => {
    // respond() answers for every error itself.
    void respond(request, response);
  });
  server.requestTimeout = requestTimeoutMs;
  server.headersTimeout = requestTimeoutMs;
  // Of one who does not read.
  server.timeout = requestTimeoutMs;
  server.maxConnections = 64;
  const scrapes = telemetry.metrics.histogram('returnit_metrics_scrape_duration_seconds');

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    let reply: Reply;
    try {
      reply = await route(path, request);
    } catch (error) {
      telemetry.logger.error({ component: 'operations', path, err: error }, 'Cannot answer on the operations port');
      reply = problem('INTERNAL', `Cannot answer "${path}": see the log`, path);
    }
    const allow = reply.status === 405 ? { allow: 'GET, HEAD' } : {};
    const { body } = reply;
    response.writeHead(reply.status, {
      'content-type': reply.contentType,
      ...(typeof body === 'string' ? { 'content-length': Buffer.byteLength(body) } : {}),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...allow,
    });
    if (request.method === 'HEAD') response.end();
    else if (typeof body === 'string') response.end(body);
    else await send(body, response, telemetry.logger);
  }

  async function route(path: string, request: IncomingMessage): Promise<Reply> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return problem('METHOD_NOT_ALLOWED', `Cannot ${request.method} "${path}": only GET and HEAD are allowed`, path);
    }
    if (path === '/metrics') return await scrape(request.headers.accept);
    if (path === '/livez') return json(200, { status: 'alive' });
    if (path === '/readyz') return ready(options.readiness());
    if (path === '/traces') return listTraces(telemetry.tracing);
    const traceId = /^\/traces\/([0-9a-f]{32})$/.exec(path)?.[1];
    if (traceId !== undefined) return showTrace(telemetry.tracing, traceId, path);
    return problem(
      'NOT_FOUND',
      `Cannot find "${path}": there are /metrics, /livez, /readyz, /traces and /traces/{traceId}`,
      path,
    );
  }

  async function scrape(accept: string | undefined): Promise<Reply> {
    const startedAtMs = performance.now();
    const { contentType, pieces } = await telemetry.metrics.write(accept);
    const written = (): void => scrapes.observe({}, (performance.now() - startedAtMs) / 1000);
    return { status: 200, contentType, body: following(pieces, written) };
  }

  return { start: () => listen(server, config), stop: () => close(server) };
}

/** Calls `written` when the last piece is. */
async function* following(pieces: AsyncIterable<string>, written: () => void): AsyncGenerator<string, void> {
  yield* pieces;
  written();
}

/** What cannot be written to its end is cut off, so that nobody takes it for all there is. */
async function send(pieces: AsyncIterable<string>, response: ServerResponse, logger: Logger): Promise<void> {
  try {
    await pipeline(pieces, response);
  } catch (error) {
    // Whoever went away does not miss the rest.
    if ((error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    logger.error({ component: 'operations', err: error }, 'Cannot write metrics');
  }
}

function listTraces(tracing: Tracing): Reply {
  return json(200, { exported: tracing.exporting, traces: toTraceSummaries(tracing.recentSpans(), tracesShown) });
}

function showTrace(tracing: Tracing, traceId: string, path: string): Reply {
  const spans = tracing.recentSpans(traceId);
  if (spans.length > 0) return json(200, { traceId, spans: toTraceTree(spans) });
  const why = tracing.exporting
    ? 'traces go to the OTLP receiver (OTEL_EXPORTER_OTLP_ENDPOINT)'
    : 'it never was here or newer ones took its place (TRACES_KEPT)';
  return problem('NOT_FOUND', `Cannot find trace ${traceId}: ${why}`, path);
}

function ready({ ready: isReady, checks }: Readiness): Reply {
  const list = Object.entries(checks).map(([name, check]) => ({ name, ...check }));
  return json(isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready', checks: list });
}

function json(status: number, body: object): Reply {
  return { status, contentType: 'application/json; charset=utf-8', body: `${JSON.stringify(body)}\n` };
}

function problem(code: ErrorCode, message: string, path: string): Reply {
  // Not toProblem(): these requests belong to no trace, so there is no trace id to tell.
  const { status, title } = errorCodes[code];
  const details = { type: problemType(code), title, status, detail: message, instance: path, code };
  return { ...json(status, details), contentType: problemContentType };
}

async function listen(
  server: Server,
  { opsHost, opsPort }: OperationsOptions['config'],
): Promise<{ host: string; port: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(opsPort, opsHost, resolve);
  try {
    await promise;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new AppError(
      'PORT_IN_USE',
      `Cannot listen on ${opsHost}:${opsPort}: the port is in use; stop the other program or set OPS_PORT to another port (0 is any free one)`,
      { details: { host: opsHost, port: opsPort, variable: 'OPS_PORT' }, cause: error },
    );
  } finally {
    server.off('error', reject);
  }
  return { host: opsHost, port: (server.address() as AddressInfo).port };
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
}
