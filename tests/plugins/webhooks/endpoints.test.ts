import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { until } from '../../support/until.ts';
import { createBench, orderId, type Bench } from './fixture.ts';

describe('endpoints', () => {
  let bench: Bench;
  before(async () => {
    bench = await createBench();
  });
  after(() => bench.stop());
  beforeEach(() => bench.start());

  const one = (endpointId: string) => ({ params: { endpointId } });
  const post = (url: string, more: object = {}) => bench.ask('POST /webhooks/endpoints', { body: { url, ...more } });

  it('shows the secret once, and keeps it where a reader of the database cannot use it', async () => {
    const { endpointId, secret, etag } = await bench.make({ description: 'Returns' });
    assert.match(secret, /^whsec_/);
    const read = await bench.ask('GET /webhooks/endpoints/{endpointId}', one(endpointId));
    assert.equal(read.headers?.['etag'], etag);
    assert.deepEqual(
      [read.body['description'], read.body['eventTypes'], read.body['state'], read.body['disabledReason']],
      ['Returns', ['order.*', 'payment.*'], 'enabled', null],
    );
    const list = await bench.ask('GET /webhooks/endpoints');
    const rows = await bench.data.sql('select * from webhook_secrets');
    const raw = Buffer.from(secret.slice('whsec_'.length), 'base64').toString('hex');
    for (const text of [read.body, list.body, rows, bench.running.recorded.logs].map((part) => JSON.stringify(part))) {
      assert.ok(!text.includes(secret.slice('whsec_'.length)) && !text.includes(raw));
    }
  });

  it('is the partner’s own and nobody else’s; ops see all', async () => {
    const mine = await bench.make();
    const theirs = await bench.make({}, 'p2');
    const body = { description: 'x' };
    for (const route of ['GET', 'PATCH', 'DELETE'].map((verb) => `${verb} /webhooks/endpoints/{endpointId}`)) {
      const reply = await bench.ask(route, { ...one(theirs.endpointId), body });
      assert.deepEqual([reply.status, reply.code], [404, 'WEBHOOK_ENDPOINT_NOT_FOUND'], route);
    }
    for (const action of ['rotate-secret', 'test']) {
      const reply = await bench.ask(`POST /webhooks/endpoints/{endpointId}/${action}`, one(theirs.endpointId));
      assert.equal(reply.status, 404, action);
    }
    const listed = async (reply: ReturnType<Bench['ask']>) =>
      ((await reply).body['endpoints'] as { endpointId: string }[]).map(({ endpointId }) => endpointId).toSorted();
    assert.deepEqual(await listed(bench.ask('GET /webhooks/endpoints')), [mine.endpointId]);
    assert.deepEqual(await listed(bench.ask('GET /webhooks/endpoints', { query: { partnerId: 'p2' } })), []);
    const both = [mine.endpointId, theirs.endpointId].toSorted();
    assert.deepEqual(await listed(bench.askOps('GET /webhooks/endpoints')), both);
    assert.deepEqual(await listed(bench.askOps('GET /webhooks/endpoints', { query: { partnerId: 'p2' } })), [
      theirs.endpointId,
    ]);
    assert.equal((await bench.askOps('GET /webhooks/endpoints/{endpointId}', one(theirs.endpointId))).status, 200);
  });

  it('says for whom: ops must, a partner need not', async () => {
    const url = bench.receiver.url;
    const asOps = (body: object) => bench.askOps('POST /webhooks/endpoints', { body: { url, ...body } });
    assert.equal((await asOps({})).code, 'WEBHOOK_PARTNER_REQUIRED');
    assert.equal((await asOps({ partnerId: 'p9' })).body['partnerId'], 'p9');
    assert.equal((await post(url, { partnerId: 'p2' })).code, 'WEBHOOK_PARTNER_REQUIRED');
    assert.equal((await post(url, { partnerId: 'p1' })).status, 201);
  });

  it('takes https alone unless a setting says otherwise, and no URL with a user, a fragment or another port', async () => {
    const wrong = [
      'ftp://a.example/',
      'a.example',
      'https://kim:pw@a.example/',
      'https://a.example/#x',
      `https://a.example/${'x'.repeat(2040)}`,
    ];
    for (const url of wrong)
      assert.ok(['WEBHOOK_URL_INVALID', 'VALIDATION_FAILED'].includes((await post(url)).code ?? ''), url);
    assert.ok(!JSON.stringify((await post('https://kim:pw@a.example/')).body).includes('pw'));
    await bench.start({ WEBHOOKS_ALLOW_HTTP: '0' });
    for (const url of ['http://a.example/', 'https://a.example:8443/', 'http://a.example:443/', bench.receiver.url]) {
      assert.equal((await post(url)).code, 'WEBHOOK_URL_INVALID', url);
    }
    assert.equal((await post('https://a.example/hooks?token=1')).status, 201);
    assert.equal((await post('https://a.example:443/')).status, 201);
  });

  it('lets a partner have so many and no more, also at the same time', async () => {
    await bench.start({ WEBHOOKS_ENDPOINTS_MAX: '3' });
    const replies = await Promise.all(Array.from({ length: 8 }, () => post(bench.receiver.url)));
    assert.equal(replies.filter(({ status }) => status === 201).length, 3);
    assert.equal(replies.filter(({ code }) => code === 'WEBHOOK_ENDPOINTS_TOO_MANY').length, 5);
    await bench.make({}, 'p2');
    const [first] = (await bench.ask('GET /webhooks/endpoints')).body['endpoints'] as { endpointId: string }[];
    await bench.ask('DELETE /webhooks/endpoints/{endpointId}', one(first?.endpointId ?? ''));
    assert.equal((await post(bench.receiver.url)).status, 201);
  });

  it('makes one endpoint of a request that is repeated with its key', async () => {
    const request = { body: { url: bench.receiver.url }, headers: { 'idempotency-key': 'k1' } };
    const replies = await Promise.all([1, 2, 3].map(() => bench.ask('POST /webhooks/endpoints', request)));
    const seen = new Set(
      replies.map(({ status, body }) => `${status} ${String(body['endpointId'])} ${String(body['secret'])}`),
    );
    assert.equal(seen.size, 1);
    const other = await bench.ask('POST /webhooks/endpoints', request, 'p2');
    assert.notEqual(other.body['endpointId'], replies[0]?.body['endpointId']);
  });

  it('changes what is at the version that the caller knows', async () => {
    const { endpointId, etag } = await bench.make();
    const patch = (body: object, ifMatch?: string) =>
      bench.ask('PATCH /webhooks/endpoints/{endpointId}', {
        ...one(endpointId),
        body,
        headers: ifMatch === undefined ? {} : { 'if-match': ifMatch },
      });
    const changed = await patch({ description: 'new', eventTypes: ['order.created'] }, etag);
    assert.deepEqual(
      [changed.status, changed.body['description'], changed.body['eventTypes'], changed.body['url']],
      [200, 'new', ['order.created'], bench.receiver.url],
    );
    assert.notEqual(changed.headers?.['etag'], etag);
    assert.deepEqual([(await patch({ description: 'late' }, etag)).code], ['WEBHOOK_ENDPOINT_CHANGED']);
    assert.equal((await patch({ description: 'whatever' })).status, 200);
    assert.equal((await patch({ url: 'ftp://x' })).code, 'WEBHOOK_URL_INVALID');
    assert.equal((await patch({ eventTypes: ['driver.*'] })).status, 422);
    assert.equal((await patch({})).status, 422);
    const stale = await bench.ask('DELETE /webhooks/endpoints/{endpointId}', {
      ...one(endpointId),
      headers: { 'if-match': etag },
    });
    assert.equal(stale.status, 412);
  });

  it('pages without a gap', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => bench.make()));
    const seen: string[] = [];
    for (let cursor: string | undefined; ;) {
      const { body } = await bench.ask('GET /webhooks/endpoints', {
        query: { limit: 2, ...(cursor === undefined ? {} : { cursor }) },
      });
      seen.push(...(body['endpoints'] as { endpointId: string }[]).map(({ endpointId }) => endpointId));
      if (body['nextCursor'] === null) break;
      cursor = body['nextCursor'] as string;
    }
    assert.deepEqual(seen, made.map(({ endpointId }) => endpointId).toSorted());
    assert.equal(
      (await bench.ask('GET /webhooks/endpoints', { query: { cursor: 'x' } })).code,
      'WEBHOOK_CURSOR_INVALID',
    );
  });

  it('signs with the old secret as well after a rotation, until its time is over', async () => {
    const { receiver } = bench;
    const { endpointId, secret } = await bench.make();
    const rotated = await bench.ask('POST /webhooks/endpoints/{endpointId}/rotate-secret', one(endpointId));
    assert.equal(rotated.status, 200);
    assert.deepEqual(
      (rotated.body['secrets'] as { expiresAt: string | null }[]).map(({ expiresAt }) => expiresAt === null),
      [true, false],
    );
    const fresh = String(rotated.body['secret']);
    assert.notEqual(fresh, secret);
    const signedWith = async (known: string, id: string): Promise<void> => {
      receiver.secrets.clear();
      receiver.secrets.add(known);
      await bench.tell('order.created', {}, id);
      await until(`${id} has arrived`, () => receiver.received.some((received) => received.id === `msg_${id}`));
    };
    await signedWith(secret, 'e1');
    await signedWith(fresh, 'e2');
    assert.equal(receiver.received.at(-1)?.headers['webhook-signature']?.toString().split(' ').length, 2);
    await bench.pass(24 * 3600);
    await signedWith(fresh, 'e3');
    assert.equal(receiver.received.at(-1)?.headers['webhook-signature']?.toString().split(' ').length, 1);
    assert.deepEqual(receiver.forged, []);
  });

  it('rotates once for a request that is repeated with its key', async () => {
    const { endpointId } = await bench.make();
    const request = { ...one(endpointId), headers: { 'idempotency-key': 'k1' } };
    const rotate = () => bench.ask('POST /webhooks/endpoints/{endpointId}/rotate-secret', request);
    const replies = [await rotate(), ...(await Promise.all([rotate(), rotate()]))];
    assert.equal(new Set(replies.map(({ status, body }) => `${status} ${JSON.stringify(body['secret'])}`)).size, 1);
    assert.equal((replies[2]?.body['secrets'] as unknown[] | undefined)?.length, 2);
  });

  it('has a few secrets at the same time and no more', async () => {
    const { endpointId } = await bench.make();
    const rotate = () => bench.ask('POST /webhooks/endpoints/{endpointId}/rotate-secret', one(endpointId));
    const replies = await Promise.all([1, 2, 3, 4, 5, 6].map(rotate));
    assert.deepEqual(replies.map(({ code = 'ok' }) => code).toSorted(), [
      'WEBHOOK_SECRETS_TOO_MANY',
      'WEBHOOK_SECRETS_TOO_MANY',
      'ok',
      'ok',
      'ok',
      'ok',
    ]);
  });

  it('makes and sends nothing without a key, and loses nothing meanwhile', async () => {
    const { receiver } = bench;
    const { endpointId } = await bench.make();
    await bench.restart({ WEBHOOKS_SECRET_KEY: '' });
    assert.ok(bench.running.recorded.logs.some(({ level, message }) => level === 'warn' && message.includes('_KEY')));
    const refused = await post(receiver.url);
    assert.deepEqual([refused.status, refused.code], [503, 'WEBHOOK_KEY_MISSING']);
    assert.match(String(refused.body['detail']), /WEBHOOKS_SECRET_KEY is not set; set it to 32 random bytes in base64/);
    const rotated = await bench.ask('POST /webhooks/endpoints/{endpointId}/rotate-secret', one(endpointId));
    assert.equal(rotated.code, 'WEBHOOK_KEY_MISSING');
    await bench.tell('order.created');
    const [delivery] = await bench.deliveries({ orderId });
    assert.deepEqual([delivery?.['state'], delivery?.['attempts']], ['pending', 0]);
    await bench.restart();
    await until('it has arrived', () => receiver.received.length === 1);
  });

  it('waits for the operator when a secret was sealed with a key that is gone', async () => {
    const { receiver } = bench;
    const { endpointId } = await bench.make();
    await bench.data.sql(`update webhook_secrets set sealed = '1.0000000000000000.AAAA'`);
    await bench.tell('order.created');
    await until(
      'it was postponed',
      () => bench.running.counted('returnit_webhooks_attempts_total', { outcome: 'postponed' }) > 0,
    );
    const [delivery] = await until('it is written down', async () => {
      const found = await bench.deliveries({ orderId });
      return found[0]?.['lastError'] === null ? undefined : found;
    });
    assert.deepEqual(
      [delivery?.['state'], delivery?.['lastError']],
      ['pending', 'Cannot open a secret: its key is not in WEBHOOKS_SECRET_KEY'],
    );
    const { body } = await bench.ask('GET /webhooks/endpoints/{endpointId}', one(endpointId));
    assert.deepEqual([body['state'], body['consecutiveFailures'], body['lastFailure']], ['enabled', 0, null]);
    assert.equal(receiver.forged.length + receiver.received.length, 0);
  });
});
