import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { LiveHub } from './hub.ts';
import { livePath, pathOf, toLiveProblem } from './live-request.ts';
import { liveEndReasons, type LiveEnd, type LiveMessage, type LiveTransport } from './watcher.ts';

export interface EventStreamsOptions {
  readonly config: Config;
  readonly hub: LiveHub;
}

export interface EventStreams {
  /** True when the request was for a live channel: it is answered then. */
  take(request: IncomingMessage, response: ServerResponse): boolean;
}

/**
 * Server-sent events for clients behind proxies that end WebSockets, and for `curl -N`: `GET /live/<channel>`.
 * Events are named `snapshot`, `change` and `closed`, the last of which ends the response. Who may not watch gets
 * problem details instead of a stream: a browser's EventSource would open a refused stream again and again.
 */
export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { config, hub } = options;

  async function open(channel: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = await hub.authenticate(request);
    // A client that has gone meanwhile will not say so again.
    if (response.destroyed) return;
    const stream = createStream(channel, response);
    const connection = hub.connect(session, stream.transport);
    response.on('drain', () => connection.flush());
    response.on('close', () => connection.end());
    if (!(await connection.watch(channel))) return;
    stream.begin();
    request.socket.setTimeout(0);
    const heartbeat = setInterval(() => {
      // The last event was sent a beat ago, and the client has not taken it.
      if (response.writableEnded) response.destroy();
      else response.write(': alive\n\n');
    }, config.liveHeartbeatMs);
    response.on('close', () => clearInterval(heartbeat));
    if (response.destroyed || response.writableFinished) clearInterval(heartbeat);
  }

  return {
    take(request, response) {
      // Every request is offered: to make a URL of each costs more than to route it.
      const path = request.url?.includes(livePath.slice(1)) === true ? pathOf(request) : undefined;
      if (path === undefined || !path.startsWith(`${livePath}/`)) return false;
      // An error means that the client is gone, which `close` reports as well.
      response.on('error', () => undefined);
      if (request.method === 'GET') {
        open(path.slice(livePath.length + 1), request, response).catch((error: unknown) => answer(response, error));
      } else {
        response.setHeader('allow', 'GET');
        answer(response, new AppError('METHOD_NOT_ALLOWED', 'Cannot watch a channel but with GET'));
      }
      return true;
    },
  };
}

const closeCodes = { stopping: 'SHUTTING_DOWN', expired: 'UNAUTHENTICATED' } as const satisfies Record<LiveEnd, string>;

/** Ends the response with the error, or, when events have been sent already, without a word. */
function answer(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = toLiveProblem(error);
  response.writeHead(status, headers).end(body);
}

function createStream(
  channel: string,
  response: ServerResponse,
): { readonly transport: LiveTransport; readonly begin: () => void } {
  function begin(): void {
    if (response.headersSent) return;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
  }

  function send({ type, ...value }: LiveMessage): void {
    if (response.writableEnded) return;
    begin();
    response.write(`event: ${type}\ndata: ${JSON.stringify(value)}\n\n`);
    if (type === 'closed') response.end();
  }

  const transport: LiveTransport = {
    name: 'sse',
    get bufferedBytes() {
      return response.writableLength;
    },
    send,
    refuse: (_channel, { code, reason }) => answer(response, new AppError(code, `Cannot watch the channel: ${reason}`)),
    close(end) {
      const reason = liveEndReasons[end];
      if (response.writableEnded) return;
      if (response.headersSent) send({ type: 'closed', channel, reason });
      else answer(response, new AppError(closeCodes[end], `Cannot watch the channel: ${reason}`));
    },
  };
  return { transport, begin };
}
