/** A small server that behaves as Stripe's API is documented to, for what the plugin uses of it, and fails when asked to. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createStripeAccount,
  failure,
  type StripeAccount,
  type StripeReply,
  type StripeRequest,
} from './stripe-account.ts';

/** What goes wrong with one request. `after`: the money has moved, and the answer is lost or an error. */
export type StripeFault = 'drop-before' | 'drop-after' | 'error-before' | 'error-after' | 'hang-after' | 'rate-limit';

export interface StripeServer {
  readonly url: URL;
  readonly account: StripeAccount;
  readonly requests: readonly StripeRequest[];
  /** Asked for each request; nothing goes wrong unless it says so. */
  fault: (request: StripeRequest) => StripeFault | undefined;
  /** Called when the money of a request has moved, before it is answered. */
  onMoved: (request: StripeRequest) => void | Promise<void>;
  stop(): Promise<void>;
}

export const stripeSecretKey = 'sk_test_returnit';

interface Saved {
  readonly fingerprint: string;
  reply: StripeReply | undefined;
}

export async function startStripeServer(host = '127.0.0.1'): Promise<StripeServer> {
  const account = createStripeAccount();
  const saved = new Map<string, Saved>();
  const requests: StripeRequest[] = [];
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch((error: unknown) => response.destroy(error as Error));
  });

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { request, segments } = await read(incoming);
    requests.push(request);
    if (incoming.headers.authorization !== `Bearer ${stripeSecretKey}`) {
      return send(response, failure(401, 'invalid_request_error', { message: 'Invalid API Key provided' }));
    }
    const fault = stripe.fault(request);
    if (fault === 'drop-before') return void incoming.socket.destroy();
    if (fault === 'rate-limit') return send(response, failure(429, 'invalid_request_error', { code: 'rate_limit' }));
    if (fault === 'error-before') return send(response, failure(500, 'api_error', { message: 'An error occurred' }));
    const reply = await idempotent(request, async () => {
      const made = account.handle(request, segments);
      if (request.method === 'POST') await stripe.onMoved(request);
      // The first status and body are kept and sent again, those of an error of the server included.
      return fault === 'error-after' ? failure(500, 'api_error', { message: 'An error occurred' }) : made;
    });
    if (fault === 'drop-after') return void incoming.socket.destroy();
    if (fault === 'hang-after') return;
    send(response, reply);
  }

  async function idempotent(request: StripeRequest, make: () => Promise<StripeReply>): Promise<StripeReply> {
    const { idempotencyKey: key, method, path, params } = request;
    if (method !== 'POST' || key === undefined) return make();
    assert.ok(key.length <= 255);
    const fingerprint = JSON.stringify([path, params]);
    const known = saved.get(key);
    if (known !== undefined && known.fingerprint !== fingerprint) {
      const message =
        'Keys for idempotent requests can only be used with the same parameters they were first used with.';
      return failure(400, 'idempotency_error', { message });
    }
    if (known !== undefined) {
      return known.reply ?? failure(409, 'idempotency_error', { code: 'idempotency_key_in_use' });
    }
    const entry: Saved = { fingerprint, reply: undefined };
    saved.set(key, entry);
    try {
      entry.reply = await make();
      // What failed validation has not begun to run: it is not kept.
      if (entry.reply.status === 400) saved.delete(key);
      return entry.reply;
    } catch (error) {
      saved.delete(key);
      throw error;
    }
  }

  server.listen(0, host);
  await once(server, 'listening');
  const stripe: StripeServer = {
    url: new URL(`http://${host}:${(server.address() as AddressInfo).port}`),
    account,
    requests,
    fault: () => undefined,
    onMoved: () => undefined,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return stripe;
}

const idPattern = /^(pi|pm|re|dp)_/;

async function read(
  incoming: IncomingMessage,
): Promise<{ readonly request: StripeRequest; readonly segments: readonly string[] }> {
  const url = new URL(incoming.url ?? '/', 'http://stripe');
  let body = '';
  for await (const chunk of incoming) body += String(chunk);
  const key = incoming.headers['idempotency-key'];
  const segments = url.pathname.split('/').filter((segment) => segment !== '');
  return {
    segments,
    request: {
      method: incoming.method ?? 'GET',
      path: `/${segments.map((segment) => (idPattern.test(segment) ? '{id}' : segment)).join('/')}`,
      idempotencyKey: typeof key === 'string' ? key : undefined,
      params: { ...Object.fromEntries(url.searchParams), ...Object.fromEntries(new URLSearchParams(body)) },
    },
  };
}

function send(response: ServerResponse, { status, body }: StripeReply): void {
  response.writeHead(status, { 'content-type': 'application/json', 'request-id': `req_${process.hrtime.bigint()}` });
  response.end(JSON.stringify(body));
}
