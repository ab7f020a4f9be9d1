import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readSample } from '../../support/platform.ts';
import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';

const basic = (text: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(text).toString('base64')}`,
});
const right = basic('d1.phone:right');

describe("devices' routes", () => {
  let fixture: HttpFixture;
  let plugin: FakePlugin;
  before(async () => {
    fixture = await startHttpFixture();
    plugin = createFakePlugin();
    const text = { verb: 'post', roles: 'device', bodyAs: 'text', body: { type: 'string' } } as const;
    await fixture.route(plugin, { ...text, path: '/fixes' });
    await fixture.route(plugin, {
      path: '/by-url',
      roles: 'device',
      credentialsInQuery: true,
      query: { type: 'object', additionalProperties: true },
    });
    await fixture.route(plugin, { path: '/people', roles: ['driver', 'ops'] });
    await fixture.route(plugin, { path: '/open', roles: 'public' });
  });
  after(() => fixture.stop());

  const post = (headers: Record<string, string>, body = '{}'): Promise<Response> =>
    fixture.request('/fixes', { method: 'POST', headers, body });

  it('admit a device by HTTP Basic, and say what it may publish', async () => {
    const response = await post(right);
    assert.equal(response.status, 200);
    await response.text();
    const { principal, headers } = plugin.inputs.at(-1) ?? {};
    assert.deepEqual(principal, { id: 'd1.phone', role: 'device', publish: ['drivers/d1/location'] });
    assert.equal(headers?.['authorization'], undefined);
  });

  for (const [what, headers] of [
    ['nothing', {}],
    ['a wrong password', basic('d1.phone:wrong')],
    ['a password that goes on', basic('d1.phone:right:')],
    ['an unknown user', basic('d2.phone:right')],
    ['no user', basic(':right')],
    ['no colon', basic('d1.phone')],
    ['what is not base64', { authorization: 'Basic d1.phone:right' }],
    ['what is not UTF-8', { authorization: `Basic ${Buffer.from([0xff, 0x3a, 0xff]).toString('base64')}` }],
    ['an endless header', { authorization: `Basic ${'A'.repeat(8000)}` }],
  ] as const) {
    it(`refuse ${what} with one answer`, async () => {
      const before = plugin.inputs.length;
      const response = await post(headers);
      assert.equal(response.status, 401);
      assert.equal(response.headers.get('www-authenticate'), 'Basic realm="returnit devices", charset="UTF-8"');
      const { code } = (await response.json()) as { code: string };
      assert.equal(code, 'UNAUTHENTICATED');
      assert.equal(plugin.inputs.length, before);
    });
  }

  it('refuse a token, and a device is refused where tokens are taken', async () => {
    for (const role of ['driver', 'ops'] as const) {
      const response = await fixture.request('/fixes', { method: 'POST', role, body: '{}' });
      assert.equal(response.status, 401);
      await response.text();
    }
    for (const path of ['/people', '/open']) {
      const response = await fixture.request(path, { headers: right });
      assert.equal(response.status, 401);
      await response.text();
    }
  });

  it('answer 503 when credentials cannot be looked up, 429 after too many failures: both to try again', async () => {
    for (const [user, status, code, seconds] of [
      ['away', 503, 'DATABASE_UNREACHABLE', '5'],
      ['often', 429, 'TOO_MANY_FAILURES', '60'],
    ] as const) {
      const response = await post(basic(`${user}:x`));
      assert.equal(response.status, status);
      assert.equal(response.headers.get('retry-after'), seconds);
      assert.equal(((await response.json()) as { code: string }).code, code);
    }
  });

  it('hand over the body as text whatever it says that it is, and an empty one', async () => {
    for (const [body, type] of [
      ['{"lat":', 'application/json'],
      ['lat=1&lon=2', 'application/x-www-form-urlencoded'],
      ['', undefined],
    ] as const) {
      const response = await post({ ...right, ...(type === undefined ? {} : { 'content-type': type }) }, body);
      assert.equal(response.status, 200);
      await response.text();
      assert.equal(plugin.inputs.at(-1)?.body, body);
    }
    const compressed = await post({ ...right, 'content-encoding': 'gzip' });
    assert.equal(compressed.status, 415);
    await compressed.text();
  });

  it('take credentials out of the query where the route allows it, and nowhere else', async () => {
    const good = await fixture.request('/by-url?id=d1&username=d1.phone&password=right&lat=1');
    assert.equal(good.status, 200);
    await good.text();
    assert.deepEqual(plugin.inputs.at(-1)?.query, { id: 'd1', lat: '1' });
    for (const path of [
      '/by-url?username=d1.phone',
      '/by-url?password=right',
      '/by-url?username=d1.phone&password=wrong',
      '/fixes?username=d1.phone&password=right',
    ]) {
      const response = await fixture.request(path, path.startsWith('/fixes') ? { method: 'POST', body: '{}' } : {});
      assert.equal(response.status, 401, path);
      await response.text();
    }
    // The header decides where there is one.
    const both = await fixture.request('/by-url?username=d1.phone&password=right', {
      headers: basic('d1.phone:wrong'),
    });
    assert.equal(both.status, 401);
    await both.text();
  });

  it('count every attempt, and write no password into any log', async () => {
    const text = await fixture.metrics();
    for (const outcome of ['accepted', 'no-credentials', 'unknown-user', 'wrong-secret', 'rate-limited', 'error'])
      assert.ok(readSample(text, 'returnit_http_device_authentications_total', { outcome }) > 0, outcome);
    assert.doesNotMatch(JSON.stringify(fixture.logs), /password|d1\.phone:|ZDEucGhvbmU6/);
  });

  it('stand in the description with HTTP Basic', async () => {
    const document = (await (await fixture.request('/openapi.json')).json()) as {
      paths: Record<string, Record<string, Record<string, unknown>>>;
      components: { securitySchemes: Record<string, unknown> };
    };
    const operation = document.paths['/fixes']?.['post'];
    assert.deepEqual(operation?.['security'], [{ device: [] }]);
    assert.deepEqual(operation?.['x-roles'], ['device']);
    assert.deepEqual(operation?.['requestBody'], {
      required: false,
      content: { '*/*': { schema: { type: 'string' }, example: 'example' } },
    });
    assert.deepEqual(document.paths['/by-url']?.['get']?.['security'], [
      { device: [] },
      { deviceUsername: [], devicePassword: [] },
    ]);
    assert.ok('device' in document.components.securitySchemes);
  });

  it('cannot be half made', async () => {
    await assert.rejects(fixture.route(plugin, { path: '/x', roles: ['ops'], credentialsInQuery: true }), {
      code: 'INVALID_CALL',
    });
    await assert.rejects(fixture.route(plugin, { path: '/x', verb: 'post', bodyAs: 'text' }), { code: 'INVALID_CALL' });
  });
});
