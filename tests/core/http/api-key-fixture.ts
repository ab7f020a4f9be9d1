import assert from 'node:assert/strict';
import type { IssuedKey, Key } from '#core/http/api-keys/api-key-schemas.ts';
import type { Role } from '#plugin-api';
import { startAccessFixture, type AccessFixture, type AccessNode } from './access-fixture.ts';
import { createFakePlugin, type FakePlugin } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';

export const overlapMs = 60_000;

export interface TokenCaller {
  readonly role: Role;
  readonly subject: string;
}
export type Caller = TokenCaller | { readonly key: string };
export const partner = (subject: string): TokenCaller => ({ role: 'partner', subject });
export const ops: TokenCaller = { role: 'ops', subject: 'kim' };

interface Listed {
  readonly keys: Key[];
  readonly nextCursor: string | null;
}

/** Two nodes on one database and one clock, with routes for partners and for others. */
export interface ApiKeyFixture {
  readonly access: AccessFixture;
  readonly node: AccessNode;
  readonly other: AccessNode;
  readonly plugin: FakePlugin;
  /** Of both nodes. */
  readonly clock: { nowMs: number };
  call(as: Caller, verb: string, path: string, json?: unknown, at?: AccessNode): Promise<Response>;
  /** A POST by a token, with an `Idempotency-Key`. */
  repeat(as: TokenCaller, path: string, idempotencyKey: string, json?: unknown): Promise<Response>;
  issue(as: Caller, body: object): Promise<IssuedKey>;
  codeOf(answer: Promise<Response>): Promise<string>;
  list(as: Caller, query?: string): Promise<Listed>;
  isTaken(key: string, at?: AccessNode): Promise<boolean>;
  /** What the database announces, told to the other node by hand. */
  announce(keyId: string): void;
  stop(): Promise<void>;
}

export async function startApiKeyFixture(): Promise<ApiKeyFixture> {
  const access = await startAccessFixture();
  const config = { apiKeyRotationOverlapMs: overlapMs, apiKeysPerPartnerMax: 6, apiKeyFailuresPerMinuteMax: 5 };
  const clock = { nowMs: Date.now() };
  const now = (): number => clock.nowMs;
  const plugin = createFakePlugin();
  const nodes = { node: await access.node(config, now), other: await access.node(config, now) };
  for (const each of Object.values(nodes)) await addRoutes(each, plugin);
  const fixture: ApiKeyFixture = {
    access,
    ...nodes,
    plugin,
    clock,
    call(as, verb, path, json, at = nodes.node) {
      return at.request(path, {
        method: verb,
        ...('key' in as ? { headers: { authorization: `Bearer ${as.key}` } } : as),
        ...(json === undefined ? {} : { json }),
      });
    },
    repeat(as, path, idempotencyKey, json) {
      const headers = { 'idempotency-key': idempotencyKey };
      return nodes.node.request(path, { method: 'POST', ...as, headers, ...(json === undefined ? {} : { json }) });
    },
    async issue(as, body) {
      const answer = await fixture.call(as, 'POST', '/api-keys', body);
      const text = await answer.text();
      assert.equal(answer.status, 201, text);
      return JSON.parse(text) as IssuedKey;
    },
    codeOf: async (answer) => (await problemOf(await answer)).code,
    list: async (as, query = '') => (await (await fixture.call(as, 'GET', `/api-keys${query}`)).json()) as Listed,
    async isTaken(key, at) {
      const { status, body } = await fixture.call({ key }, 'GET', '/orders', undefined, at);
      await body?.cancel();
      return status === 200;
    },
    announce: (keyId) => nodes.other.apiKeys.changed(keyId),
    stop: () => access.stop(),
  };
  return fixture;
}

async function addRoutes(node: AccessNode, plugin: FakePlugin): Promise<void> {
  await node.route(plugin, { path: '/orders', roles: ['customer', 'partner'] });
  await node.route(plugin, { path: '/orders', verb: 'post', roles: ['partner'] });
  await node.route(plugin, { path: '/payments', roles: ['partner'] });
  await node.route(plugin, { path: '/drivers', roles: ['ops'] });
  await node.route(plugin, { path: '/open', roles: 'public' });
}
