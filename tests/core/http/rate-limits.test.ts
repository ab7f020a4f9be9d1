import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { toNetwork } from '#core/http/limits/rate-limits.ts';
import { createWindowLimit } from '#core/http/limits/window-limit.ts';
import { readSample } from '../../support/platform.ts';
import { createFakePlugin, startHttpFixture, type HttpFixture } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';

describe('rate limits', () => {
  let fixture: HttpFixture;
  before(async () => {
    fixture = await startHttpFixture({
      httpReadsPerMinute: 5,
      httpWritesPerMinute: 3,
      httpAnonymousPerMinute: 4,
      httpTrustedProxies: ['127.0.0.1'],
    });
    const plugin = createFakePlugin();
    plugin.handler = () => ({ status: 200, body: {} });
    await fixture.route(plugin, { path: '/orders', roles: ['customer', 'ops'] });
    await fixture.route(plugin, { path: '/payments', roles: ['customer'] });
    await fixture.route(plugin, { path: '/orders', verb: 'post', roles: ['customer'] });
    await fixture.route(plugin, { path: '/few', verb: 'post', roles: ['customer'], requestsPerMinute: 2 });
    await fixture.route(plugin, { path: '/open', roles: 'public' });
    await fixture.route(plugin, { path: '/device', verb: 'post', roles: 'device' });
  });
  after(() => fixture.stop());

  const get = (path: string, subject: string): Promise<Response> =>
    fixture.request(path, { role: 'customer', subject });
  const post = (path: string, subject: string): Promise<Response> =>
    fixture.request(path, { method: 'POST', role: 'customer', subject });
  const drain = async (answers: Promise<Response>[]): Promise<number[]> =>
    Promise.all(
      answers.map(async (pending) => {
        const answer = await pending;
        await answer.text();
        return answer.status;
      }),
    ).then((statuses) => statuses.toSorted((one, other) => one - other));

  it('are told by every answer, and refuse with the time to wait', async () => {
    for (let left = 4; left >= 0; left -= 1) {
      const answer = await get(left % 2 === 0 ? '/orders' : '/payments', 'told');
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('ratelimit-policy'), '"read";q=5;w=60');
      assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"read";r=${left};t=(60|[1-5]?\\d)$`));
      await answer.text();
    }
    const refused = await get('/orders', 'told');
    const problem = await problemOf(refused);
    assert.deepEqual([refused.status, problem.code], [429, 'RATE_LIMITED']);
    assert.match(problem.detail, /the limit is 5 a minute for reading/);
    const waitSeconds = Number(refused.headers.get('retry-after'));
    assert.ok(waitSeconds >= 1 && waitSeconds <= 60);
    assert.match(refused.headers.get('ratelimit') ?? '', /^"read";r=0;t=\d+$/);
    const text = await fixture.metrics();
    assert.equal(readSample(text, 'returnit_http_rate_limited_total', { policy: 'read' }), 1);
    assert.ok(readSample(text, 'returnit_http_rate_limit_callers', { policy: 'read' }) >= 1);
  });

  it('are of one principal, and apart for reading and writing', async () => {
    assert.deepEqual(await drain(Array.from({ length: 5 }, () => get('/orders', 'apart'))), Array(5).fill(200));
    assert.deepEqual(await drain([post('/orders', 'apart')]), [200]);
    assert.deepEqual(await drain([get('/orders', 'another')]), [200]);
    const asOps = await fixture.request('/orders', { role: 'ops', subject: 'apart' });
    assert.equal(asOps.status, 200, 'the same id in another role is another principal');
    await asOps.text();
  });

  it('do not let through more when requests come at once', async () => {
    const statuses = await drain(Array.from({ length: 20 }, () => post('/orders', 'burst')));
    assert.equal(statuses.filter((status) => status === 200).length, 3);
    assert.equal(statuses.filter((status) => status === 429).length, 17);
  });

  it('of a route count for each principal beside the others', async () => {
    const first = await post('/few', 'route');
    assert.equal(first.headers.get('ratelimit-policy'), '"write";q=3;w=60, "route";q=2;w=60');
    assert.match(first.headers.get('ratelimit') ?? '', /^"write";r=2;t=\d+, "route";r=1;t=\d+$/);
    await first.text();
    assert.deepEqual(await drain([post('/few', 'route')]), [200]);
    assert.match((await problemOf(await post('/few', 'route'))).detail, /2 a minute for this operation/);
    assert.deepEqual(await drain([post('/few', 'other')]), [200]);
  });

  it('are by address for who has no token', async () => {
    const from = (address: string): Promise<Response> =>
      fixture.request('/open', { headers: { 'x-forwarded-for': address } });
    const statuses = await drain(Array.from({ length: 6 }, () => from('198.51.100.7')));
    assert.deepEqual(statuses, [200, 200, 200, 200, 429, 429]);
    assert.deepEqual(await drain([from('198.51.100.8')]), [200]);
    const sameNetwork = await drain([1, 2, 3, 4, 5].map((host) => from(`2001:db8:1:2::${host}`)));
    assert.deepEqual(sameNetwork, [200, 200, 200, 200, 429]);
    assert.deepEqual(await drain([from('2001:db8:1:3::1')]), [200]);
  });

  it('hold for devices by their credentials', async () => {
    const authorization = `Basic ${Buffer.from('d1.phone:right').toString('base64')}`;
    const report = (): Promise<Response> => fixture.request('/device', { method: 'POST', headers: { authorization } });
    assert.deepEqual(await drain([report(), report(), report(), report()]), [200, 200, 200, 429]);
  });

  it('cost nothing where they are off', async () => {
    const free = await startHttpFixture({ httpReadsPerMinute: 0, httpWritesPerMinute: 0, httpAnonymousPerMinute: 0 });
    try {
      await free.route(createFakePlugin(), { path: '/orders', roles: ['customer'], requestsPerMinute: 1 });
      for (const init of [{ role: 'customer' as const }, {}]) {
        const answer = await free.request(init.role === undefined ? '/docs' : '/orders', init);
        assert.deepEqual([answer.status, answer.headers.get('ratelimit')], [200, null]);
        await answer.text();
      }
      const again = await free.request('/orders', { role: 'customer' });
      assert.equal(again.status, 200, 'the limit of a route is off as well');
      await again.text();
    } finally {
      await free.stop();
    }
  });
});

describe('createWindowLimit()', () => {
  it('begins anew when a window is over, and forgets who was not seen for longest', () => {
    let nowMs = 1000;
    const limit = createWindowLimit({ windowMs: 100, keysMax: 2, now: () => nowMs });
    assert.deepEqual([limit.take('a').count, limit.take('a').count, limit.take('b').count], [1, 2, 1]);
    assert.equal(limit.take('a').endsAtMs, 1100);
    nowMs = 1100;
    assert.deepEqual({ ...limit.take('a') }, { endsAtMs: 1200, count: 1 });
    limit.take('c');
    assert.equal(limit.size, 2);
    assert.equal(limit.take('b').count, 1, 'it had been forgotten');
  });
});

describe('toNetwork()', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['unknown', 'unknown'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['2001:db8:1:2::', '2001:db8:1:2'],
  ] as const) {
    it(`takes ${address} as ${network}`, () => assert.equal(toNetwork(address), network));
  }
});
