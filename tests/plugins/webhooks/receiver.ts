/** A partner's server: it verifies with the library of the specification, and answers as it is told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Received {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Manner = (response: ServerResponse, received: Received) => void;

export const answer = (status: number, headers: Record<string, string> = {}, body = ''): Manner => {
  return (response) => void response.writeHead(status, headers).end(body);
};
export const silent: Manner = () => undefined;

export interface Receiver {
  readonly url: string;
  /** What came with a valid signature, in the order in which it came. */
  readonly received: Received[];
  /** What came with one that was not, or none. */
  readonly forged: string[];
  /** Requests that wait for their answer. */
  readonly open: () => number;
  /** The most that waited at the same time. */
  readonly openMax: () => number;
  readonly secrets: Set<string>;
  manner: Manner;
  stop(): Promise<void>;
}

export async function startReceiver(host = '127.0.0.1', port = 0): Promise<Receiver> {
  let [open, openMax] = [0, 0];
  const server = createServer((request, response) => {
    open += 1;
    openMax = Math.max(openMax, open);
    response.on('close', () => (open -= 1));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => take(request, response, Buffer.concat(chunks).toString()));
  });

  function take(request: IncomingMessage, response: ServerResponse, body: string): void {
    const payload = verify(body, request.headers, receiver.secrets);
    if (payload === undefined) {
      receiver.forged.push(body);
      response.writeHead(401).end();
      return;
    }
    const { headers, url: path = '' } = request;
    const received = { ...payload, id: String(headers['webhook-id']), path, headers, body };
    receiver.received.push(received);
    receiver.manner(response, received);
  }

  server.listen(port, host);
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `http://${host}:${(server.address() as AddressInfo).port}/hooks`,
    received: [],
    forged: [],
    open: () => open,
    openMax: () => openMax,
    secrets: new Set(),
    manner: answer(204),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
  return receiver;
}

type Payload = Pick<Received, 'type' | 'timestamp' | 'data'>;

function verify(body: string, headers: IncomingMessage['headers'], secrets: Set<string>): Payload | undefined {
  for (const secret of secrets) {
    try {
      return new Webhook(secret).verify(body, headers as Record<string, string>) as Payload;
    } catch {
      // Another one's secret.
    }
  }
  return undefined;
}
