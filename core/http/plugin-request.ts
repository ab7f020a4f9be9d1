import type { IncomingHttpHeaders } from 'node:http';
import type { HttpRequest } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginBodies } from './body/plugin-bodies.ts';
import { toRouteResponse } from './plugin-reply.ts';
import { RequestRefusal } from './request-refusal.ts';
import type { ResponseStream, Route, RouteDefinition, RouteRequest } from './route.ts';
import { unavailable } from './unavailable.ts';

/** One running process of a plugin, as far as HTTP needs it. */
export interface PluginTarget {
  readonly plugin: { readonly name: string };
  handle(
    handler: number,
    input: unknown,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<unknown>;
}

export interface PluginRunOptions {
  readonly target: PluginTarget;
  /** The number under which the plugin registered the route's handler. */
  readonly handler: number;
  /** And the one that is asked for the pieces of its streams. */
  readonly streamHandler?: number | undefined;
  readonly timeoutMs: number;
  /** Of the call of the handler, which is longer where the body arrives meanwhile. @default timeoutMs */
  readonly handleTimeoutMs?: number;
  /** Where the process finds the bodies that it fetches. */
  readonly bodies: Pick<PluginBodies, 'open'>;
  /** What `Retry-After` says when the plugin's process is gone. */
  readonly unavailableRetrySeconds: number;
}

/** How a plugin's route answers: ask its process, check what comes back. */
export function createPluginRun(options: PluginRunOptions): RouteDefinition['run'] {
  const { target, handler, streamHandler, handleTimeoutMs: timeoutMs = options.timeoutMs } = options;
  return async (request, route) => {
    const { upload } = request;
    const input: Omit<HttpRequest, 'signal' | 'newId'> = {
      principal: request.principal,
      params: request.params,
      query: request.query,
      body: upload === undefined ? request.body : options.bodies.open(upload),
      headers: passedHeaders(request.headers, route),
      id: request.id,
    };
    let reply: unknown;
    try {
      reply = await target.handle(handler, input, { timeoutMs, signal: request.signal });
    } catch (error) {
      throw toFailure(error, { request, route }, options);
    }
    return toRouteResponse(reply, route, {
      request,
      ...(streamHandler === undefined
        ? {}
        : {
            openStream: (stream) => openPluginStream({ ...options, streamHandler }, { stream, request, route }),
          }),
    });
  };
}

interface PluginStream {
  readonly stream: number;
  readonly request: RouteRequest;
  readonly route: Route;
}

/**
 * A stream is many calls. Each goes to the process that answered the first, has the deadline of a call, and ends with the
 * request; what the plugin itself reads for a piece passes `invoke()` as always.
 */
function openPluginStream(
  options: PluginRunOptions & { readonly streamHandler: number },
  { stream, request, route }: PluginStream,
): ResponseStream {
  const { target, streamHandler, timeoutMs } = options;
  let isOver = false;
  return {
    async next() {
      let piece: unknown;
      try {
        piece = await target.handle(streamHandler, { stream }, { timeoutMs, signal: request.signal });
      } catch (error) {
        // It is not over: the cancellation may have crossed the piece, and the process knows nothing of it.
        throw toFailure(error, { request, route }, options);
      }
      const { bytes, done } = (piece ?? {}) as { readonly bytes?: unknown; readonly done?: unknown };
      if (typeof bytes !== 'string' || typeof done !== 'boolean') {
        throw new AppError('INVALID_RESPONSE', `Cannot send the stream of "${route.name}": a piece of it is no bytes`);
      }
      isOver = done;
      return done ? undefined : Buffer.from(bytes, 'base64');
    },
    end() {
      if (isOver) return;
      isOver = true;
      // A process that is gone has no stream to end; a deaf one ends it by itself.
      target.handle(streamHandler, { stream, end: true }, { timeoutMs, signal: neverAborted }).catch(() => undefined);
    },
  };
}

const neverAborted = new AbortController().signal;

/** Credentials are for the core alone; the others concern the connection, not the request. */
const withheld = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-connection',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'accept-encoding',
  'host',
  'expect',
  'traceparent',
  'tracestate',
  'baggage',
]);

/** `If-Match` reaches a route alone that compares: none can do so and keep it out of the description. */
function passedHeaders(headers: IncomingHttpHeaders, { ifMatch }: Route): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name in headers) {
    if (withheld.has(name) || (name === 'if-match' && !ifMatch)) continue;
    const value = headers[name];
    if (typeof value === 'string') passed[name] = value;
    else if (value !== undefined) passed[name] = value.join(', ');
  }
  return passed;
}

/** A server that crashed is started again within seconds. */
const databaseRetrySeconds = 5;

/** A plugin can say so of itself without reason: it deceives its own clients alone, and its error is in the log. */
function isDatabaseOutage(error: unknown): boolean {
  return (
    error instanceof AppError &&
    (error.code === 'DATABASE_UNREACHABLE' || error.details['because'] === 'DATABASE_UNREACHABLE')
  );
}

function toFailure(
  error: unknown,
  { request, route }: Pick<PluginStream, 'request' | 'route'>,
  options: PluginRunOptions,
): AppError {
  if (request.signal.aborted) {
    return new AppError('CANCELLED', `Cannot answer "${route.name}": the client went away`, { cause: error });
  }
  // Not the plugin failed but its client: the body was too large, too slow or broken off.
  if (request.upload?.failure !== undefined) return request.upload.failure;
  return toRefusal(error, route, options);
}

/** What the plugin threw is for the log; the client learns what kind of failure it was. */
function toRefusal(error: unknown, route: Route, options: PluginRunOptions): AppError {
  const code = error instanceof AppError ? error.code : undefined;
  const what = `Cannot answer "${route.name}" by plugin "${route.owner.name}"`;
  switch (code) {
    case 'PLUGIN_UNAVAILABLE':
      return unavailable(route, {
        message: `${what}: its process is gone`,
        retryAfterSeconds: options.unavailableRetrySeconds,
        cause: error,
      });
    case 'OVERLOADED':
    case 'BUDGET_EXCEEDED':
      return new RequestRefusal(code, `${what}: it has too much to do`, {
        headers: { 'retry-after': '1' },
        cause: error,
      });
    case 'TIMEOUT':
      return new AppError(code, `${what} in time`, { cause: error });
    default:
      if (isDatabaseOutage(error)) {
        return new RequestRefusal('DATABASE_UNREACHABLE', `${what}: it cannot reach the database`, {
          headers: { 'retry-after': String(databaseRetrySeconds) },
          cause: error,
        });
      }
      return new AppError('PLUGIN_FAILED', `${what}: its handler failed`, { cause: error });
  }
}
