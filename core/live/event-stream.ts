import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '#core/config/settings.ts';
import type { LiveHub } from './hub.ts';
import { livePath, pathOf, toLiveProblem } from './live-request.ts';
import type { LiveTransport } from './watcher.ts';

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
 * Events are named `snapshot`, `change`, `closed`, `refused`; the last two end the response.
 */
export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { config, hub } = options;

  async function open(channel: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const principal = await hub.authenticate(request);
    const connection = hub.connect(principal, toTransport(channel, response));
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
    response.on('close', () => {
      clearInterval(heartbeat);
      connection.end();
    });
    request.socket.setTimeout(0);
    await connection.watch(channel);
  }

  return {
    take(request, response) {
      const path = pathOf(request);
      if (path === undefined || !path.startsWith(`${livePath}/`)) return false;
      // An error means that the client is gone, which `close` reports as well.
      response.on('error', () => undefined);
      if (request.method !== 'GET') {
        answer(response, 405, JSON.stringify({ title: 'Method not allowed', status: 405 }));
        return true;
      }
      open(path.slice(livePath.length + 1), request, response).catch((error: unknown) => {
        const { status, body } = toLiveProblem(error);
        if (response.headersSent) response.destroy();
        else answer(response, status, body);
      });
      return true;
    },
  };
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }).end(body);
}

function toTransport(channel: string, response: ServerResponse): LiveTransport {
  return {
    name: 'sse',
    get bufferedBytes() {
      return response.writableLength;
    },
    send(message) {
      const { type, ...value } = message;
      response.write(`event: ${type}\ndata: ${JSON.stringify(value)}\n\n`);
      if (type === 'closed' || type === 'refused') response.end();
    },
    close: (reason) => void response.end(`event: closed\ndata: ${JSON.stringify({ channel, reason })}\n\n`),
  };
}
