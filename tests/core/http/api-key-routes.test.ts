import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { IssuedKey, Key } from '#core/http/api-keys/api-key-schemas.ts';
import { ops, overlapMs, partner, startApiKeyFixture, type ApiKeyFixture } from './api-key-fixture.ts';
import { problemOf } from './http-problem.ts';

describe('API keys, for who manages them', () => {
  let keys: ApiKeyFixture;
  before(async () => {
    keys = await startApiKeyFixture();
  });
  after(() => keys.stop());

  it('are kept as a hash, and neither shown, logged nor audited again', async () => {
    const { secret, keyId } = await keys.issue(ops, { partnerId: 'hush', name: 'hidden', scopes: ['*:read'] });
    await keys.isTaken(secret);
    const stored = await keys.access.database.query({
      name: 'show_key',
      text: 'select key::text as text from returnit.api_key as key where key_id = $1',
      values: [keyId],
    });
    const hidden = secret.slice(-43);
    const texts = [stored.rows, keys.node.logs, keys.access.audited, await keys.list(partner('hush'))].map((each) =>
      JSON.stringify(each),
    );
    for (const text of texts) assert.ok(text.includes('hidden') || text.startsWith('['), text.slice(0, 100));
    assert.ok(!texts.join('').includes(hidden));
    assert.deepEqual(keys.access.audited.at(-1), {
      decision: 'issue',
      resource: `rk_live_${keyId}_… "hidden" of partner "hush" for *:read`,
      rule: 'ops "kim"',
    });
  });

  it("are a partner's own to see and to change; ops see all", async () => {
    const mine = await keys.issue(partner('one'), { name: 'mine', scopes: ['orders:write'] });
    const theirs = await keys.issue(ops, { partnerId: 'two', name: 'theirs', scopes: ['orders:write'] });
    assert.deepEqual(
      (await keys.list(partner('one'))).keys.map(({ keyId }) => keyId),
      [mine.keyId],
    );
    assert.deepEqual((await keys.list(partner('one'), '?partnerId=two')).keys, []);
    assert.deepEqual(
      (await keys.list(ops, '?partnerId=two')).keys.map(({ keyId }) => keyId),
      [theirs.keyId],
    );
    for (const [verb, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/rotate'],
    ] as const) {
      assert.equal(
        await keys.codeOf(keys.call(partner('one'), verb, `/api-keys/${theirs.keyId}${path}`)),
        'API_KEY_NOT_FOUND',
      );
      assert.equal(await keys.codeOf(keys.call(ops, verb, `/api-keys/${'0'.repeat(16)}${path}`)), 'API_KEY_NOT_FOUND');
    }
    const body = { name: 'x', scopes: ['orders:read'] };
    for (const [as, wrong] of [
      [partner('one'), { ...body, partnerId: 'two' }],
      [ops, body],
    ] as const) {
      const { code, errors } = await problemOf(await keys.call(as, 'POST', '/api-keys', wrong));
      assert.deepEqual([code, errors?.[0]?.pointer], ['VALIDATION_FAILED', '#/partnerId']);
    }
    assert.equal(await keys.codeOf(keys.call({ role: 'customer', subject: 'one' }, 'GET', '/api-keys')), 'FORBIDDEN');
  });

  it('are listed in pages that neither skip nor repeat', async () => {
    for (let index = 0; index < 5; index += 1)
      await keys.issue(partner('pages'), { name: `key ${index}`, scopes: ['orders:read'] });
    const names: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await keys.list(partner('pages'), `?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      names.push(...page.keys.map(({ name }) => name));
      cursor = page.nextCursor;
    }
    assert.deepEqual(names, ['key 4', 'key 3', 'key 2', 'key 1', 'key 0']);
    await keys.issue(partner('pages'), { name: 'last', scopes: ['orders:read'] });
    const refused = await problemOf(
      await keys.call(partner('pages'), 'POST', '/api-keys', { name: 'x', scopes: ['*:read'] }),
    );
    assert.deepEqual([refused.status, refused.code], [409, 'API_KEYS_EXHAUSTED']);
  });

  it('make others only with the scope for it, and none that may more', async () => {
    const all = await keys.issue(partner('maker'), { name: 'all', scopes: ['*:write'] });
    const body = { name: 'made', scopes: ['orders:read'] };
    assert.equal(await keys.codeOf(keys.call({ key: all.secret }, 'POST', '/api-keys', body)), 'API_KEY_SCOPE_MISSING');
    assert.equal(
      await keys.codeOf(keys.call({ key: all.secret }, 'GET', '/api-keys')),
      'API_KEY_SCOPE_MISSING',
      '* is not for keys',
    );
    const maker = await keys.issue(partner('maker'), { name: 'maker', scopes: ['api-keys:write', 'orders:write'] });
    const made = await keys.issue({ key: maker.secret }, body);
    assert.deepEqual([made.partnerId, made.createdBy], ['maker', { role: 'partner', id: 'maker' }]);
    for (const scopes of [['payments:read'], ['*:read'], ['orders:read', 'payments:read']]) {
      const refused = keys.call({ key: maker.secret }, 'POST', '/api-keys', { name: 'more', scopes });
      assert.equal(await keys.codeOf(refused), 'API_KEY_SCOPE_MISSING', scopes.join());
    }
    const rotated = keys.call({ key: maker.secret }, 'POST', `/api-keys/${all.keyId}/rotate`);
    assert.equal(await keys.codeOf(rotated), 'API_KEY_SCOPE_MISSING', 'nor by rotating one');
  });

  it('are rotated: two are valid at a time, the older one for a while', async () => {
    const first = await keys.issue(partner('turn'), { name: 'turn', scopes: ['orders:read'] });
    const rotate = async ({ keyId }: Key): Promise<IssuedKey> => {
      const answer = await keys.call(partner('turn'), 'POST', `/api-keys/${keyId}/rotate`);
      assert.equal(answer.status, 201);
      return (await answer.json()) as IssuedKey;
    };
    const next = await rotate(first);
    assert.deepEqual([next.name, next.scopes, next.expiresAt], ['turn', ['orders:read'], null]);
    assert.deepEqual([await keys.isTaken(first.secret), await keys.isTaken(next.secret)], [true, true]);
    const old = (await keys.list(partner('turn'))).keys.find(({ keyId }) => keyId === first.keyId);
    assert.equal(old?.replacedBy, next.keyId);
    const endsInMs = Date.parse(old?.expiresAt ?? '') - Date.now();
    assert.ok(endsInMs > overlapMs - 30_000 && endsInMs <= overlapMs, String(endsInMs));
    assert.equal(
      await keys.codeOf(keys.call(partner('turn'), 'POST', `/api-keys/${first.keyId}/rotate`)),
      'API_KEY_NOT_ACTIVE',
    );
    const last = await rotate(next);
    keys.clock.nowMs = Date.now() + 1000;
    assert.deepEqual(
      [await keys.isTaken(first.secret), await keys.isTaken(next.secret), await keys.isTaken(last.secret)],
      [false, true, true],
    );
    keys.clock.nowMs += overlapMs;
    assert.deepEqual([await keys.isTaken(next.secret), await keys.isTaken(last.secret)], [false, true]);
    keys.clock.nowMs = Date.now();
  });

  it('are made once for each Idempotency-Key, though their secret cannot be told again', async () => {
    const body = { name: 'once', scopes: ['orders:read'] };
    const ask = async (path: string, key: string, as = partner('once')) => {
      const answer = await keys.repeat(as, path, key, path === '/api-keys' ? body : undefined);
      const { keyId, secret, code } = (await answer.json()) as IssuedKey & { readonly code?: string };
      return { status: answer.status, location: answer.headers.get('location'), keyId, secret, code };
    };
    const made = await Promise.all(Array.from({ length: 4 }, () => ask('/api-keys', 'one')));
    const [first, ...others] = made.filter(({ status }) => status === 201);
    assert.ok(first !== undefined && others.length === 0);
    const location = `/api-keys/${first.keyId}`;
    for (const { status, code, location: where } of made.filter((each) => each !== first))
      assert.deepEqual([status, code, where], [409, 'IDEMPOTENCY_ANSWER_NOT_KEPT', location]);
    assert.ok(await keys.isTaken(first.secret));
    const second = await ask('/api-keys', 'two');
    const strangers = await ask('/api-keys', 'one', partner('stranger'));
    assert.deepEqual([second.status, strangers.status], [201, 201], 'another key, another caller');
    assert.equal((await keys.list(partner('once'))).keys.length, 2);

    const rotated = await ask(`${location}/rotate`, 'turn');
    const again = await ask(`${location}/rotate`, 'turn');
    assert.deepEqual(
      [rotated.status, again.code, again.location],
      [201, 'IDEMPOTENCY_ANSWER_NOT_KEPT', `/api-keys/${rotated.keyId}`],
    );
    assert.equal((await ask(`${location}/rotate`, 'other')).code, 'API_KEY_NOT_ACTIVE');
    assert.equal((await ask('/api-keys', 'a b')).code, 'IDEMPOTENCY_KEY_INVALID');
    assert.equal((await keys.list(partner('once'))).keys.length, 3);
  });

  it('have one winner when they are rotated twice at once', async () => {
    const first = await keys.issue(partner('race'), { name: 'race', scopes: ['orders:read'] });
    const answers = await Promise.all(
      [keys.node, keys.other].map((at) =>
        keys.call(partner('race'), 'POST', `/api-keys/${first.keyId}/rotate`, undefined, at),
      ),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201, 409]));
    for (const answer of answers) await answer.body?.cancel();
  });
});
