import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createApiKey, parseApiKey } from '#core/http/api-keys/api-key.ts';
import type { IssuedKey, Key } from '#core/http/api-keys/api-key-schemas.ts';
import { coversScope } from '#core/http/api-keys/scopes.ts';
import type { Role } from '#plugin-api';
import { readSample } from '../../support/platform.ts';
import { startAccessFixture, type AccessFixture, type AccessNode } from './access-fixture.ts';
import { createFakePlugin, type FakePlugin } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';

const overlapMs = 60_000;

describe('API keys', () => {
  let access: AccessFixture;
  let node: AccessNode;
  let other: AccessNode;
  let plugin: FakePlugin;
  let nowMs = Date.now();

  before(async () => {
    access = await startAccessFixture();
    const config = { apiKeyRotationOverlapMs: overlapMs, apiKeysPerPartnerMax: 6, apiKeyFailuresPerMinuteMax: 5 };
    node = await access.node(config, () => nowMs);
    other = await access.node(config, () => nowMs);
    plugin = createFakePlugin();
    for (const each of [node, other]) {
      await each.route(plugin, { path: '/orders', roles: ['customer', 'partner'] });
      await each.route(plugin, { path: '/orders', verb: 'post', roles: ['partner'] });
      await each.route(plugin, { path: '/payments', roles: ['partner'] });
      await each.route(plugin, { path: '/drivers', roles: ['ops'] });
      await each.route(plugin, { path: '/open', roles: 'public' });
    }
  });
  after(() => access.stop());

  type As = { readonly role: Role; readonly subject: string } | { readonly key: string };
  const call = (as: As, verb: string, path: string, json?: unknown, at = node): Promise<Response> =>
    at.request(path, {
      method: verb,
      ...('key' in as ? { headers: { authorization: `Bearer ${as.key}` } } : as),
      ...(json === undefined ? {} : { json }),
    });
  const partner = (subject: string): As => ({ role: 'partner', subject });
  const ops: As = { role: 'ops', subject: 'kim' };

  async function issue(as: As, body: object): Promise<IssuedKey> {
    const answer = await call(as, 'POST', '/api-keys', body);
    const text = await answer.text();
    assert.equal(answer.status, 201, text);
    return JSON.parse(text) as IssuedKey;
  }
  const codeOf = async (answer: Promise<Response>): Promise<string> => (await problemOf(await answer)).code;
  const list = async (as: As, query = ''): Promise<{ keys: Key[]; nextCursor: string | null }> =>
    (await (await call(as, 'GET', `/api-keys${query}`)).json()) as { keys: Key[]; nextCursor: string | null };
  const isTaken = async (key: string, at = node): Promise<boolean> => {
    const { status, body } = await call({ key }, 'GET', '/orders', undefined, at);
    await body?.cancel();
    return status === 200;
  };
  /** What the database announces, the fixture tells by hand. */
  const announce = (keyId: string): void => other.apiKeys.changed(keyId);

  it('speak for their partner, within their scopes', async () => {
    const { secret, ...shown } = await issue(partner('acme'), { name: 'shop', scopes: ['orders:read'] });
    assert.match(secret, /^rk_live_[0-9a-f]{16}_[\w-]{43}$/);
    assert.ok(secret.startsWith(shown.shown.slice(0, -1)));
    assert.deepEqual(
      [shown.partnerId, shown.state, shown.createdBy],
      ['acme', 'active', { role: 'partner', id: 'acme' }],
    );
    assert.ok(await isTaken(secret));
    assert.deepEqual(plugin.inputs.at(-1)?.principal, { id: 'acme', role: 'partner' });
    assert.equal(plugin.inputs.at(-1)?.headers['authorization'], undefined);
    const refused = await problemOf(await call({ key: secret }, 'POST', '/orders'));
    assert.deepEqual([refused.status, refused.code], [403, 'API_KEY_SCOPE_MISSING']);
    assert.match(refused.detail, /it takes the scope "orders:write", the key has orders:read/);
    assert.equal(await codeOf(call({ key: secret }, 'GET', '/payments')), 'API_KEY_SCOPE_MISSING');
    assert.equal(await codeOf(call({ key: secret }, 'GET', '/drivers')), 'FORBIDDEN', 'not for partners at all');
    assert.equal((await call({ key: secret }, 'GET', '/open')).status, 200);
  });

  it('are kept as a hash, and neither shown, logged nor audited again', async () => {
    const { secret, keyId } = await issue(ops, { partnerId: 'hush', name: 'hidden', scopes: ['*:read'] });
    await isTaken(secret);
    const stored = await access.database.query({
      name: 'show_key',
      text: 'select key::text as text from returnit.api_key as key where key_id = $1',
      values: [keyId],
    });
    const hidden = secret.slice(-43);
    const texts = [stored.rows, node.logs, access.audited, await list(partner('hush'))].map((each) =>
      JSON.stringify(each),
    );
    for (const text of texts) assert.ok(text.includes('hidden') || text.startsWith('['), text.slice(0, 100));
    assert.ok(!texts.join('').includes(hidden));
    assert.deepEqual(access.audited.at(-1), {
      decision: 'issue',
      resource: `rk_live_${keyId}_… "hidden" of partner "hush" for *:read`,
      rule: 'ops "kim"',
    });
  });

  it("are a partner's own to see and to change; ops see all", async () => {
    const mine = await issue(partner('one'), { name: 'mine', scopes: ['orders:write'] });
    const theirs = await issue(ops, { partnerId: 'two', name: 'theirs', scopes: ['orders:write'] });
    assert.deepEqual(
      (await list(partner('one'))).keys.map(({ keyId }) => keyId),
      [mine.keyId],
    );
    assert.deepEqual((await list(partner('one'), '?partnerId=two')).keys, []);
    assert.deepEqual(
      (await list(ops, '?partnerId=two')).keys.map(({ keyId }) => keyId),
      [theirs.keyId],
    );
    for (const [verb, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/rotate'],
    ] as const) {
      assert.equal(await codeOf(call(partner('one'), verb, `/api-keys/${theirs.keyId}${path}`)), 'API_KEY_NOT_FOUND');
      assert.equal(await codeOf(call(ops, verb, `/api-keys/${'0'.repeat(16)}${path}`)), 'API_KEY_NOT_FOUND');
    }
    const body = { name: 'x', scopes: ['orders:read'] };
    for (const [as, wrong] of [
      [partner('one'), { ...body, partnerId: 'two' }],
      [ops, body],
    ] as const) {
      const { code, errors } = await problemOf(await call(as, 'POST', '/api-keys', wrong));
      assert.deepEqual([code, errors?.[0]?.pointer], ['VALIDATION_FAILED', '#/partnerId']);
    }
    assert.equal(await codeOf(call({ role: 'customer', subject: 'one' }, 'GET', '/api-keys')), 'FORBIDDEN');
  });

  it('are listed in pages that neither skip nor repeat', async () => {
    for (let index = 0; index < 5; index += 1)
      await issue(partner('pages'), { name: `key ${index}`, scopes: ['orders:read'] });
    const names: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await list(partner('pages'), `?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      names.push(...page.keys.map(({ name }) => name));
      cursor = page.nextCursor;
    }
    assert.deepEqual(names, ['key 4', 'key 3', 'key 2', 'key 1', 'key 0']);
    await issue(partner('pages'), { name: 'last', scopes: ['orders:read'] });
    const refused = await problemOf(
      await call(partner('pages'), 'POST', '/api-keys', { name: 'x', scopes: ['*:read'] }),
    );
    assert.deepEqual([refused.status, refused.code], [409, 'API_KEYS_EXHAUSTED']);
  });

  it('make others only with the scope for it, and none that may more', async () => {
    const all = await issue(partner('maker'), { name: 'all', scopes: ['*:write'] });
    const body = { name: 'made', scopes: ['orders:read'] };
    assert.equal(await codeOf(call({ key: all.secret }, 'POST', '/api-keys', body)), 'API_KEY_SCOPE_MISSING');
    assert.equal(
      await codeOf(call({ key: all.secret }, 'GET', '/api-keys')),
      'API_KEY_SCOPE_MISSING',
      '* is not for keys',
    );
    const maker = await issue(partner('maker'), { name: 'maker', scopes: ['api-keys:write', 'orders:write'] });
    const made = await issue({ key: maker.secret }, body);
    assert.deepEqual([made.partnerId, made.createdBy], ['maker', { role: 'partner', id: 'maker' }]);
    for (const scopes of [['payments:read'], ['*:read'], ['orders:read', 'payments:read']]) {
      const refused = call({ key: maker.secret }, 'POST', '/api-keys', { name: 'more', scopes });
      assert.equal(await codeOf(refused), 'API_KEY_SCOPE_MISSING', scopes.join());
    }
    const rotated = call({ key: maker.secret }, 'POST', `/api-keys/${all.keyId}/rotate`);
    assert.equal(await codeOf(rotated), 'API_KEY_SCOPE_MISSING', 'nor by rotating one');
  });

  it('are refused at once when they are revoked, and elsewhere when that is heard', async () => {
    const { secret, keyId } = await issue(partner('gone'), { name: 'gone', scopes: ['orders:read'] });
    assert.deepEqual([await isTaken(secret), await isTaken(secret, other)], [true, true]);
    assert.equal((await call(partner('gone'), 'DELETE', `/api-keys/${keyId}`)).status, 204);
    const refused = await call({ key: secret }, 'GET', '/orders');
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer realm="returnit", error="invalid_token"/);
    const problem = await problemOf(refused);
    assert.deepEqual([problem.code, problem.detail], ['UNAUTHENTICATED', 'Cannot accept the API key: it is revoked']);
    announce(keyId);
    assert.ok(!(await isTaken(secret, other)));
    assert.equal((await call(partner('gone'), 'DELETE', `/api-keys/${keyId}`)).status, 204, 'twice is once');
    assert.equal(access.audited.at(-1)?.decision, 'withdraw');
    assert.equal(await codeOf(call(partner('gone'), 'POST', `/api-keys/${keyId}/rotate`)), 'API_KEY_NOT_ACTIVE');
    assert.equal((await list(partner('gone'))).keys[0]?.state, 'revoked');
  });

  it('expire', async () => {
    const { secret, expiresAt } = await issue(partner('late'), {
      name: 'l',
      scopes: ['orders:read'],
      expiresInDays: 1,
    });
    assert.equal(Date.parse(expiresAt ?? ''), nowMs + 86_400_000);
    assert.ok(await isTaken(secret));
    nowMs += 86_400_000;
    const problem = await problemOf(await call({ key: secret }, 'GET', '/orders'));
    assert.equal(problem.detail, 'Cannot accept the API key: it has expired');
    nowMs -= 86_400_000;
  });

  it('are rotated: two are valid at a time, the older one for a while', async () => {
    const first = await issue(partner('turn'), { name: 'turn', scopes: ['orders:read'] });
    const rotate = async ({ keyId }: Key): Promise<IssuedKey> => {
      const answer = await call(partner('turn'), 'POST', `/api-keys/${keyId}/rotate`);
      assert.equal(answer.status, 201);
      return (await answer.json()) as IssuedKey;
    };
    const next = await rotate(first);
    assert.deepEqual([next.name, next.scopes, next.expiresAt], ['turn', ['orders:read'], null]);
    assert.deepEqual([await isTaken(first.secret), await isTaken(next.secret)], [true, true]);
    const old = (await list(partner('turn'))).keys.find(({ keyId }) => keyId === first.keyId);
    assert.equal(old?.replacedBy, next.keyId);
    const endsInMs = Date.parse(old?.expiresAt ?? '') - Date.now();
    assert.ok(endsInMs > overlapMs - 30_000 && endsInMs <= overlapMs, String(endsInMs));
    assert.equal(await codeOf(call(partner('turn'), 'POST', `/api-keys/${first.keyId}/rotate`)), 'API_KEY_NOT_ACTIVE');
    const last = await rotate(next);
    nowMs = Date.now() + 1000;
    assert.deepEqual(
      [await isTaken(first.secret), await isTaken(next.secret), await isTaken(last.secret)],
      [false, true, true],
    );
    nowMs += overlapMs;
    assert.deepEqual([await isTaken(next.secret), await isTaken(last.secret)], [false, true]);
    nowMs = Date.now();
  });

  it('have one winner when they are rotated twice at once', async () => {
    const first = await issue(partner('race'), { name: 'race', scopes: ['orders:read'] });
    const answers = await Promise.all(
      [node, other].map((at) => call(partner('race'), 'POST', `/api-keys/${first.keyId}/rotate`, undefined, at)),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201, 409]));
    for (const answer of answers) await answer.body?.cancel();
  });

  it('tell when they were last used, written once a minute', async () => {
    const { secret, keyId } = await issue(partner('used'), { name: 'used', scopes: ['orders:read'] });
    const usedAt = async (): Promise<string | null> =>
      ((await (await call(partner('used'), 'GET', `/api-keys/${keyId}`)).json()) as Key).lastUsedAt;
    assert.equal(await usedAt(), null);
    for (let use = 0; use < 20; use += 1) await isTaken(secret);
    const { rows } = await access.database.query({
      name: 'used_at',
      text: 'select last_used_at, xmin::text from returnit.api_key where key_id = $1',
      values: [keyId],
    });
    for (let use = 0; use < 5; use += 1) await isTaken(secret, other);
    assert.notEqual(await usedAt(), null);
    const again = await access.database.query({
      name: 'used_at',
      text: 'select last_used_at, xmin::text from returnit.api_key where key_id = $1',
      values: [keyId],
    });
    assert.deepEqual(again.rows, rows, 'the other node wrote nothing in this minute');
  });

  it('cannot be guessed: an address that failed too often is checked against known keys alone', async () => {
    const known = await issue(partner('quiet'), { name: 'known', scopes: ['orders:read'] });
    const fresh = await issue(partner('quiet'), { name: 'fresh', scopes: ['orders:read'] });
    assert.ok(await isTaken(known.secret, other));
    nowMs += 120_000;
    let statements = 0;
    const { find } = access.keyStore;
    const outcome = async (key: string): Promise<string> => {
      const answer = await call({ key }, 'GET', '/orders', undefined, other);
      if (answer.status === 200) return (await answer.body?.cancel(), 'ok');
      if (answer.status === 429) assert.equal(answer.headers.get('retry-after'), '60');
      return (await problemOf(answer)).code;
    };
    Object.assign(access.keyStore, { find: (keyId: string) => ((statements += 1), find(keyId)) });
    try {
      const wrong = createApiKey().secret;
      assert.deepEqual([await outcome(wrong), await outcome(wrong)], ['UNAUTHENTICATED', 'UNAUTHENTICATED']);
      assert.equal(statements, 1, 'that there is none is remembered');
      assert.equal(
        await outcome(`${known.secret.slice(0, -1)}${known.secret.endsWith('A') ? 'B' : 'A'}`),
        'UNAUTHENTICATED',
      );
      for (const key of ['rk_live_', 'rk_live_zz']) assert.equal(await outcome(key), 'UNAUTHENTICATED');
      assert.equal(await outcome(createApiKey().secret), 'TOO_MANY_FAILURES');
      assert.equal(await outcome(fresh.secret), 'TOO_MANY_FAILURES', 'a right one that this node does not know');
      assert.equal(statements, 1);
      assert.equal(await outcome(known.secret), 'ok');
      nowMs += 60_000;
      assert.equal(await outcome(fresh.secret), 'ok');
    } finally {
      Object.assign(access.keyStore, { find });
    }
    const text = await other.metrics();
    for (const [label, count] of [
      ['unknown', 3],
      ['malformed', 2],
      ['rate-limited', 2],
    ] as const) {
      const labels = { outcome: label };
      assert.ok(readSample(text, 'returnit_http_api_key_authentications_total', labels) >= count, label);
    }
  });

  it('are 503 when they cannot be looked up', async () => {
    access.setAway(true);
    const refused = await call({ key: createApiKey().secret }, 'GET', '/orders').finally(() => access.setAway(false));
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
    assert.equal((await problemOf(refused)).code, 'DATABASE_UNREACHABLE');
  });

  it('are not known by a change that crosses their look-up', async () => {
    const { secret, keyId } = await issue(partner('cross'), { name: 'cross', scopes: ['orders:read'] });
    const { find } = access.keyStore;
    let isFirst = true;
    Object.assign(access.keyStore, {
      async find(id: string) {
        const record = await find(id);
        if (isFirst) {
          isFirst = false;
          await access.keyStore.revoke(keyId);
          announce(keyId);
        }
        return record;
      },
    });
    try {
      assert.ok(!(await isTaken(secret, other)));
    } finally {
      Object.assign(access.keyStore, { find });
    }
  });
});

describe('parseApiKey()', () => {
  it('takes what createApiKey() makes, and nothing else', () => {
    const { secret, keyId, secretHash } = createApiKey();
    assert.deepEqual(parseApiKey(secret), { keyId, secretHash });
    for (const text of [
      '',
      'rk_live_',
      secret.slice(1),
      `${secret}x`,
      secret.slice(0, -1),
      secret.toUpperCase(),
      ` ${secret}`,
    ])
      assert.equal(parseApiKey(text), undefined, text);
  });
});

describe('coversScope()', () => {
  const cases: readonly (readonly [readonly string[], string, boolean])[] = [
    [['orders:read'], 'orders:read', true],
    [['orders:read'], 'orders:write', false],
    [['orders:write'], 'orders:read', true],
    [['*:read'], 'payments:read', true],
    [['*:read'], 'payments:write', false],
    [['*:write'], 'api-keys:read', false],
    [['*:write', 'api-keys:read'], 'api-keys:read', true],
    [['order:write'], 'orders:read', false],
    [[], 'orders:read', false],
  ];
  for (const [scopes, wanted, covered] of cases) {
    it(`${covered ? 'finds' : 'does not find'} ${wanted} in ${scopes.join(' ') || 'nothing'}`, () => {
      assert.equal(coversScope(scopes, wanted), covered);
    });
  }
});
