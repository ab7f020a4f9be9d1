import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { LiveHub } from './hub.ts';
import { toEventText, type LiveMessage } from './live-message.ts';
import { livePath, pathOf, sinceOf, toLiveProblem } from './live-request.ts';
import type { LiveEnd, LiveTransport } from './watcher.ts';

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
 * Events are named `snapshot`, `change`, `resumed` and `closed`, the last of which ends the response; `reconnect` ends it
 * too, and says when to come back. An event's id is its version: with it as `Last-Event-ID` the stream goes on where it was.
 * Who may not watch gets problem details instead: a browser's EventSource would open a refused stream again and again.
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
    const since = sinceOf(request);
    if (!(await connection.watch(channel, since === undefined ? {} : { since }))) return;
    stream.begin();
    request.socket.setTimeout(0);
    const taken = createProgress(response);
    const heartbeat = setInterval(() => {
      // What was sent a beat ago lies there still: the client takes nothing, or is gone without a word.
      if (taken()) {
        response.write(': alive\n\n');
      } else {
        connection.end('dead');
        response.destroy();
      }
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

const closeCodes = {
  stopping: 'SHUTTING_DOWN',
  expired: 'UNAUTHENTICATED',
  idle: 'TIMEOUT',
} as const satisfies Record<LiveEnd, string>;

/** Asked at each beat: whether the client has taken anything since the last, if there was anything to take. */
function createProgress(response: ServerResponse): () => boolean {
  let waiting = 0;
  let written = 0;
  return () => {
    const { bytesWritten = 0, writableLength = 0 } = response.socket ?? {};
    // Node counts as written what lies in its own buffer too.
    const flushed = bytesWritten - writableLength;
    const taken = !response.writableEnded && (waiting === 0 || flushed > written);
    waiting = response.writableLength;
    written = flushed;
    return taken;
  };
}

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

  function send(message: LiveMessage): void {
    if (response.writableEnded) return;
    begin();
    response.write(toEventText(message));
    if (message.type === 'closed') response.end();
  }

  const transport: LiveTransport = {
    name: 'sse',
    get bufferedBytes() {
      return response.writableLength;
    },
    send,
    refuse: (_channel, { code, reason }) => answer(response, new AppError(code, `Cannot watch the channel: ${reason}`)),
    close(end, notice) {
      if (response.writableEnded) return;
      const { afterMs, reason } = notice;
      if (!response.headersSent)
        return answer(response, new AppError(closeCodes[end], `Cannot watch the channel: ${reason}`));
      // For a browser's EventSource, which heeds no event of ours.
      response.end(`retry: ${afterMs}\nevent: reconnect\ndata: ${JSON.stringify({ channel, ...notice })}\n\n`);
    },
  };
  return { transport, begin };
}
