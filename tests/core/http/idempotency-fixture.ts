import assert from 'node:assert/strict';
import { readSample } from '../../support/platform.ts';
import { startAccessFixture, type AccessFixture, type AccessNode } from './access-fixture.ts';
import { createFakePlugin, type FakePlugin } from './http-fixture.ts';

const body = { type: 'object', properties: { grams: { type: 'integer', minimum: 1 } } };
/** How long each node lets a request wait for another with its key: the third has no patience. */
const waitsMs = [60_000, 60_000, 100];

export interface KeyedRequest {
  readonly key: string;
  /** @default '/orders' */
  readonly path?: string;
  /** Of `/orders`. */
  readonly json?: unknown;
  /** Of `/orders`, in place of `json`: as it is. */
  readonly text?: string;
  readonly subject?: string;
  /** The node, by its number. @default 0 */
  readonly at?: number;
}

/** Three nodes on one database, with routes that take a key and routes that do not. */
export interface IdempotencyFixture {
  readonly access: AccessFixture;
  readonly plugin: FakePlugin;
  /** How often a handler ran that counts. */
  count: number;
  node(index?: number): AccessNode;
  send(request: KeyedRequest): Promise<Response>;
  /** Of the first node. */
  sample(name: string, outcome: string): Promise<number>;
  /** The handler counts, from 0 again. */
  reset(): void;
  stop(): Promise<void>;
}

export async function startIdempotencyFixture(): Promise<IdempotencyFixture> {
  const access = await startAccessFixture();
  const plugin = createFakePlugin();
  const nodes: AccessNode[] = [];
  for (const idempotencyWaitMs of waitsMs) {
    const node = await access.node({ idempotencyWaitMs, idempotencyAnswerMaxBytes: 2000 });
    await addRoutes(node, plugin);
    nodes.push(node);
  }
  const nodeAt = (index = 0): AccessNode => nodes[index] ?? assert.fail();
  const fixture: IdempotencyFixture = {
    access,
    plugin,
    count: 0,
    node: nodeAt,
    send({ key, path = '/orders', json = { grams: 5 }, text, subject = 'c', at = 0 }) {
      return nodeAt(at).request(path, {
        method: 'POST',
        role: 'customer',
        subject,
        headers: { 'idempotency-key': key, ...(text === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(path === '/orders' ? (text === undefined ? { json } : { body: text }) : {}),
      });
    },
    sample: async (name, outcome) => readSample(await nodeAt().metrics(), name, { outcome }),
    reset() {
      fixture.count = 0;
      plugin.handler = () => {
        const number = (fixture.count += 1);
        return { status: 201, body: { number }, headers: { location: `/orders/${number}` } };
      };
    },
    stop: () => access.stop(),
  };
  return fixture;
}

async function addRoutes(node: AccessNode, plugin: FakePlugin): Promise<void> {
  await node.route(plugin, { verb: 'post', path: '/orders', body, response: { 201: {}, 204: {} } });
  const query = { type: 'object', properties: { dry: { type: 'string' } } };
  await node.route(plugin, { verb: 'post', path: '/orders/{orderId}/cancel', query, response: { 201: {} } });
  await node.route(plugin, { verb: 'post', path: '/links', response: { 201: {} }, idempotency: false });
  await node.route(plugin, { verb: 'post', path: '/open', roles: 'public', response: { 201: {} } });
  const secret = { type: 'object', properties: { password: { type: 'string' } } };
  await node.route(plugin, { verb: 'post', path: '/devices', response: { 201: secret } });
}
