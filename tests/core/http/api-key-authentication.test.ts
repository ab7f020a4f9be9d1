import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createApiKey, parseApiKey } from '#core/http/api-keys/api-key.ts';
import type { Key } from '#core/http/api-keys/api-key-schemas.ts';
import { coversScope } from '#core/http/api-keys/scopes.ts';
import { readSample } from '../../support/platform.ts';
import { until } from '../../support/until.ts';
import { partner, startApiKeyFixture, type ApiKeyFixture } from './api-key-fixture.ts';
import { problemOf } from './http-problem.ts';

describe('API keys, when they are used', () => {
  let keys: ApiKeyFixture;
  before(async () => {
    keys = await startApiKeyFixture();
  });
  after(() => keys.stop());

  it('speak for their partner, within their scopes', async () => {
    const { secret, ...shown } = await keys.issue(partner('acme'), { name: 'shop', scopes: ['orders:read'] });
    assert.match(secret, /^rk_live_[0-9a-f]{16}_[\w-]{43}$/);
    assert.ok(secret.startsWith(shown.shown.slice(0, -1)));
    assert.deepEqual(
      [shown.partnerId, shown.state, shown.createdBy],
      ['acme', 'active', { role: 'partner', id: 'acme' }],
    );
    assert.ok(await keys.isTaken(secret));
    assert.deepEqual(keys.plugin.inputs.at(-1)?.principal, { id: 'acme', role: 'partner' });
    assert.equal(keys.plugin.inputs.at(-1)?.headers['authorization'], undefined);
    const refused = await problemOf(await keys.call({ key: secret }, 'POST', '/orders'));
    assert.deepEqual([refused.status, refused.code], [403, 'API_KEY_SCOPE_MISSING']);
    assert.match(refused.detail, /it takes the scope "orders:write", the key has orders:read/);
    assert.equal(await keys.codeOf(keys.call({ key: secret }, 'GET', '/payments')), 'API_KEY_SCOPE_MISSING');
    assert.equal(
      await keys.codeOf(keys.call({ key: secret }, 'GET', '/drivers')),
      'FORBIDDEN',
      'not for partners at all',
    );
    assert.equal((await keys.call({ key: secret }, 'GET', '/open')).status, 200);
  });

  it('are refused at once when they are revoked, and elsewhere when that is heard', async () => {
    const { secret, keyId } = await keys.issue(partner('gone'), { name: 'gone', scopes: ['orders:read'] });
    assert.deepEqual([await keys.isTaken(secret), await keys.isTaken(secret, keys.other)], [true, true]);
    assert.equal((await keys.call(partner('gone'), 'DELETE', `/api-keys/${keyId}`)).status, 204);
    const refused = await keys.call({ key: secret }, 'GET', '/orders');
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer realm="returnit", error="invalid_token"/);
    const problem = await problemOf(refused);
    assert.deepEqual([problem.code, problem.detail], ['UNAUTHENTICATED', 'Cannot accept the API key: it is revoked']);
    keys.announce(keyId);
    assert.ok(!(await keys.isTaken(secret, keys.other)));
    assert.equal((await keys.call(partner('gone'), 'DELETE', `/api-keys/${keyId}`)).status, 204, 'twice is once');
    assert.equal(keys.access.audited.at(-1)?.decision, 'withdraw');
    assert.equal(
      await keys.codeOf(keys.call(partner('gone'), 'POST', `/api-keys/${keyId}/rotate`)),
      'API_KEY_NOT_ACTIVE',
    );
    assert.equal((await keys.list(partner('gone'))).keys[0]?.state, 'revoked');
  });

  it('expire', async () => {
    const { secret, expiresAt } = await keys.issue(partner('late'), {
      name: 'l',
      scopes: ['orders:read'],
      expiresInDays: 1,
    });
    assert.equal(Date.parse(expiresAt ?? ''), keys.clock.nowMs + 86_400_000);
    assert.ok(await keys.isTaken(secret));
    keys.clock.nowMs += 86_400_000;
    const problem = await problemOf(await keys.call({ key: secret }, 'GET', '/orders'));
    assert.equal(problem.detail, 'Cannot accept the API key: it has expired');
    keys.clock.nowMs -= 86_400_000;
  });

  it('tell when they were last used, written once a minute', async () => {
    const { secret, keyId } = await keys.issue(partner('used'), { name: 'used', scopes: ['orders:read'] });
    const usedAt = async (): Promise<string | null> =>
      ((await (await keys.call(partner('used'), 'GET', `/api-keys/${keyId}`)).json()) as Key).lastUsedAt;
    assert.equal(await usedAt(), null);
    for (let use = 0; use < 20; use += 1) await keys.isTaken(secret);
    // Nobody's answer waits for it.
    await until('its use is written', async () => (await usedAt()) !== null);
    const { rows } = await keys.access.database.query({
      name: 'used_at',
      text: 'select last_used_at, xmin::text from returnit.api_key where key_id = $1',
      values: [keyId],
    });
    for (let use = 0; use < 5; use += 1) await keys.isTaken(secret, keys.other);
    assert.notEqual(await usedAt(), null);
    const again = await keys.access.database.query({
      name: 'used_at',
      text: 'select last_used_at, xmin::text from returnit.api_key where key_id = $1',
      values: [keyId],
    });
    assert.deepEqual(again.rows, rows, 'the other node wrote nothing in this minute');
  });

  it('cannot be guessed: an address that failed too often is checked against known keys alone', async () => {
    const known = await keys.issue(partner('quiet'), { name: 'known', scopes: ['orders:read'] });
    const fresh = await keys.issue(partner('quiet'), { name: 'fresh', scopes: ['orders:read'] });
    assert.ok(await keys.isTaken(known.secret, keys.other));
    keys.clock.nowMs += 120_000;
    let statements = 0;
    const { find } = keys.access.keyStore;
    const outcome = async (key: string): Promise<string> => {
      const answer = await keys.call({ key }, 'GET', '/orders', undefined, keys.other);
      if (answer.status === 200) return (await answer.body?.cancel(), 'ok');
      if (answer.status === 429) assert.equal(answer.headers.get('retry-after'), '60');
      return (await problemOf(answer)).code;
    };
    Object.assign(keys.access.keyStore, { find: (keyId: string) => ((statements += 1), find(keyId)) });
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
      keys.clock.nowMs += 60_000;
      assert.equal(await outcome(fresh.secret), 'ok');
    } finally {
      Object.assign(keys.access.keyStore, { find });
    }
    const text = await keys.other.metrics();
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
    keys.access.setAway(true);
    const refused = await keys
      .call({ key: createApiKey().secret }, 'GET', '/orders')
      .finally(() => keys.access.setAway(false));
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
    assert.equal((await problemOf(refused)).code, 'DATABASE_UNREACHABLE');
  });

  it('are not known by a change that crosses their look-up', async () => {
    const { secret, keyId } = await keys.issue(partner('cross'), { name: 'cross', scopes: ['orders:read'] });
    const { find } = keys.access.keyStore;
    let isFirst = true;
    Object.assign(keys.access.keyStore, {
      async find(id: string) {
        const record = await find(id);
        if (isFirst) {
          isFirst = false;
          await keys.access.keyStore.revoke(keyId);
          keys.announce(keyId);
        }
        return record;
      },
    });
    try {
      assert.ok(!(await keys.isTaken(secret, keys.other)));
    } finally {
      Object.assign(keys.access.keyStore, { find });
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
