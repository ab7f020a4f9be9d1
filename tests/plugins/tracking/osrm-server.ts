/** A server on the loopback that answers as OSRM's HTTP API does, or as a broken one would. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Manner = (response: ServerResponse) => void;

const json = (status: number, body: unknown): Manner => {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
};

/** The answers of OSRM 5.27 to `route`, with `overview=false`. */
export const manners = {
  route: (seconds: number): Manner =>
    json(200, {
      code: 'Ok',
      routes: [
        {
          legs: [{ steps: [], summary: '', weight: seconds, duration: seconds, distance: 4000 }],
          weight_name: 'routability',
          weight: seconds,
          duration: seconds,
          distance: 4000,
        },
      ],
      waypoints: [
        { hint: 'x', distance: 4.2, name: 'A', location: [11.5, 48.1] },
        { hint: 'y', distance: 2.1, name: 'B', location: [11.6, 48.2] },
      ],
    }),
  noRoute: json(400, { code: 'NoRoute', message: 'Impossible route between points' }),
  invalid: json(400, { code: 'InvalidQuery', message: 'Query string malformed close to position 12' }),
  broken: json(500, 'Internal Server Error'),
  notJson: json(200, '<html>'),
  noRoutes: json(200, { code: 'Ok', routes: [] }),
  negative: json(200, { code: 'Ok', routes: [{ duration: -1 }] }),
  text: json(200, { code: 'Ok', routes: [{ duration: '12' }] }),
  endless: json(200, { code: 'Ok', routes: [{ duration: 1e12 }] }),
  redirect: ((response) => {
    response.writeHead(302, { location: 'http://127.0.0.1:9/' });
    response.end();
  }) as Manner,
  silent: (() => undefined) as Manner,
  reset: ((response) => void response.socket?.destroy()) as Manner,
} as const;

export interface OsrmServer {
  readonly url: URL;
  /** Paths that were asked for. */
  readonly asked: string[];
  manner: Manner;
  stop(): Promise<void>;
}

export async function startOsrmServer(host = '127.0.0.1', port = 0): Promise<OsrmServer> {
  const asked: string[] = [];
  const http = createServer((request, response) => {
    asked.push(request.url ?? '');
    server.manner(response);
  });
  http.listen(port, host);
  await once(http, 'listening');
  const server: OsrmServer = {
    url: new URL(`http://${host}:${(http.address() as AddressInfo).port}`),
    asked,
    manner: manners.route(300),
    async stop() {
      http.closeAllConnections();
      await new Promise((resolve) => void http.close(resolve));
    },
  };
  return server;
}
