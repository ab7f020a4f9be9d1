/** A server on the loopback that answers as VROOM's HTTP API does, or as a broken one would. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface VroomRequest {
  readonly vehicles: readonly {
    readonly start?: readonly number[];
    readonly capacity: readonly number[];
  }[];
  readonly shipments: readonly {
    readonly amount: readonly number[];
    readonly pickup: { readonly id: number; readonly location: readonly number[]; readonly time_windows?: unknown };
    readonly delivery: { readonly id: number };
  }[];
  readonly jobs: readonly { readonly id: number; readonly delivery?: unknown; readonly pickup?: unknown }[];
}

export type Manner = (request: VroomRequest, response: ServerResponse) => void;

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};
const route = (steps: readonly object[]): object => ({
  code: 0,
  summary: { cost: 1000, routes: 1, unassigned: 0 },
  unassigned: [],
  routes: [{ vehicle: 1, cost: 1000, steps: [{ type: 'start', arrival: 0 }, ...steps, { type: 'end', arrival: 9 }] }],
});

export const manners = {
  /** All pickups in the order asked for, then what is on board, then all deliveries, last one first. */
  route: ((request, response) =>
    json(
      response,
      200,
      route([
        ...request.shipments.map(({ pickup }) => ({ type: 'pickup', id: pickup.id, arrival: 5 })),
        ...request.jobs.map(({ id }) => ({ type: 'job', id, arrival: 6 })),
        ...request.shipments.toReversed().map(({ delivery }) => ({ type: 'delivery', id: delivery.id, arrival: 7 })),
      ]),
    )) as Manner,
  deliveryFirst: ((request, response) =>
    json(
      response,
      200,
      route(
        request.shipments.flatMap(({ pickup: { id } }) => [
          { type: 'delivery', id },
          { type: 'pickup', id },
        ]),
      ),
    )) as Manner,
  unassigned: ((_request, response) =>
    json(response, 200, { code: 0, unassigned: [{ id: 1, type: 'pickup' }], routes: [] })) as Manner,
  inputError: ((_request, response) => json(response, 400, { code: 2, error: 'Invalid location.' })) as Manner,
  broken: ((_request, response) => json(response, 500, 'Internal Server Error')) as Manner,
  notJson: ((_request, response) => json(response, 200, '<html>')) as Manner,
  unknownStep: ((_request, response) => json(response, 200, route([{ type: 'pickup', id: 99 }]))) as Manner,
  noRoutes: ((_request, response) => json(response, 200, { code: 0, unassigned: [], routes: [] })) as Manner,
  reset: ((_request, response) => void response.socket?.destroy()) as Manner,
  silent: (() => undefined) as Manner,
} as const;

export interface VroomServer {
  readonly url: URL;
  readonly asked: VroomRequest[];
  manner: Manner;
  stop(): Promise<void>;
}

export async function startVroomServer(): Promise<VroomServer> {
  const asked: VroomRequest[] = [];
  const http = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => (text += piece));
    request.on('end', () => {
      const problem = JSON.parse(text) as VroomRequest;
      asked.push(problem);
      server.manner(problem, response);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server: VroomServer = {
    url: new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`),
    asked,
    manner: manners.route,
    async stop() {
      http.closeAllConnections();
      await new Promise((resolve) => void http.close(resolve));
    },
  };
  return server;
}
