import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import type { LiveHub } from './hub.ts';
import type { LiveTransport } from './watcher.ts';

export interface EventStreamRequest {
  readonly principal: Principal;
  readonly channel: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * Server-sent events for clients behind proxies that end WebSockets, and for `curl -N`: one channel a request.
 * Events are named `snapshot`, `change`, `closed`, `refused`; `closed` and `refused` end the response.
 *
 * @throws {AppError} OVERLOADED before anything is sent
 */
export function openEventStream(
  options: EventStreamRequest & { readonly config: Config; readonly hub: LiveHub },
): void {
  const { config, hub, principal, channel, request, response } = options;
  const transport: LiveTransport = {
    name: 'sse',
    get bufferedBytes() {
      return response.writableLength;
    },
    send(message) {
      const { type, ...value } = message;
      response.write(`event: ${type}\ndata: ${JSON.stringify(value)}\n\n`);
      if (type === 'closed' || type === 'refused') response.end();
    },
    close(reason) {
      response.end(`event: closed\ndata: ${JSON.stringify({ channel, reason })}\n\n`);
    },
  };
  const connection = hub.connect(principal, transport);
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  const heartbeat = setInterval(() => {
    response.write(': alive\n\n');
    connection.flush();
  }, config.liveHeartbeatMs);
  response.on('drain', () => connection.flush());
  // An error means that the client is gone, which `close` reports as well.
  response.on('error', () => undefined);
  request.socket.setTimeout(0);
  response.on('close', () => {
    clearInterval(heartbeat);
    connection.end();
  });
  void connection.watch(channel);
}
