/** What stands in front of the API for browsers: it serves a page, hands on the rest, and may end WebSockets as some proxies do. */
import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

export interface PageProxyOptions {
  /** Of the API; asked for each request. */
  readonly target: () => string;
  /** Whether WebSockets get through. */
  readonly upgrades: boolean;
}

export interface PageProxy {
  readonly url: string;
  /** Cuts every connection without a word, as a network does that changes. */
  cut(): void;
  stop(): Promise<void>;
}

const pageHeaders = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };

export async function startPageProxy({ target, upgrades }: PageProxyOptions): Promise<PageProxy> {
  const server = createServer((request, response) => {
    if (request.url === '/page') {
      response.writeHead(200, pageHeaders).end('<!doctype html><title>Where is my driver?</title><main></main>');
      return;
    }
    const { method, headers, url } = request;
    const onward = forward(`${target()}${url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on('error', () => response.destroy()).pipe(response);
    });
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (!upgrades) return socket.end('HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n');
    const { hostname, port } = new URL(target());
    const onward = connect(Number(port), hostname, () => {
      const fields = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      onward.write(`GET ${request.url} HTTP/1.1\r\n${fields.join('')}\r\n`);
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    onward.on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
    return undefined;
  });
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    async stop() {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}
