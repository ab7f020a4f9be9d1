import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Role } from '#plugin-api';
import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';

describe('access', () => {
  let fixture: HttpFixture;
  let plugin: FakePlugin;
  before(async () => {
    fixture = await startHttpFixture();
    plugin = createFakePlugin();
    await fixture.route(plugin, { path: '/customers', roles: ['customer'] });
    await fixture.route(plugin, { path: '/staff', roles: ['driver', 'ops'] });
    await fixture.route(plugin, { path: '/open', roles: 'public' });
  });
  after(() => fixture.stop());

  const matrix: readonly (readonly [string, Role | undefined, number])[] = [
    ['/customers', 'customer', 200],
    ['/customers', 'driver', 403],
    ['/customers', 'ops', 403],
    ['/customers', undefined, 401],
    ['/staff', 'customer', 403],
    ['/staff', 'partner', 403],
    ['/staff', 'driver', 200],
    ['/staff', 'ops', 200],
    ['/staff', undefined, 401],
    ['/open', 'partner', 200],
    ['/open', undefined, 200],
  ];
  for (const [path, role, status] of matrix) {
    it(`answers ${status} to ${role ?? 'nobody'} at ${path}`, async () => {
      const before = plugin.inputs.length;
      const response = await fixture.request(path, role === undefined ? {} : { role });
      assert.equal(response.status, status);
      await response.text();
      assert.equal(plugin.inputs.length - before, status === 200 ? 1 : 0);
      if (status === 200)
        assert.deepEqual(
          plugin.inputs.at(-1)?.principal,
          role === undefined ? { id: 'anonymous', role: 'anonymous' } : { id: `${role}-1`, role },
        );
    });
  }

  it('says which roles may', async () => {
    const problem = (await (await fixture.request('/staff', { role: 'customer' })).json()) as {
      detail: string;
      code: string;
    };
    assert.equal(problem.detail, 'Cannot GET /staff as customer: it is for driver, ops');
    assert.equal(problem.code, 'FORBIDDEN');
  });

  it('says how to authenticate', async () => {
    const response = await fixture.request('/staff');
    assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="returnit"');
    await response.text();
  });

  for (const path of ['/open', '/staff']) {
    it(`refuses an invalid token at ${path} with the reason`, async () => {
      const response = await fixture.request(path, { headers: { authorization: 'Bearer abc.def.ghi' } });
      assert.equal(response.status, 401);
      assert.equal(
        response.headers.get('www-authenticate'),
        'Bearer realm="returnit", error="invalid_token", error_description="Cannot accept the token: it is not a well-formed JWT"',
      );
      await response.text();
    });
  }

  it('refuses another scheme', async () => {
    const response = await fixture.request('/staff', { headers: { authorization: 'Basic YTpi' } });
    assert.equal(response.status, 401);
    assert.match(response.headers.get('www-authenticate') ?? '', /error="invalid_request"/);
    await response.text();
  });

  it('serves the public keys', async () => {
    const response = await fixture.request('/.well-known/jwks.json');
    assert.deepEqual(await response.json(), fixture.authenticator.publicKeys);
    assert.equal(response.headers.get('cache-control'), 'public, max-age=300');
  });

  it('writes no token into any log', async () => {
    assert.doesNotMatch(JSON.stringify(fixture.logs), /eyJ|abc\.def/);
  });
});
