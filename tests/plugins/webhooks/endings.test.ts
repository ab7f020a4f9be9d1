import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { until } from '../../support/until.ts';
import { createBench, orderId, secretKey, type Bench } from './fixture.ts';
import { answer, silent } from './receiver.ts';

const hourSeconds = 3600;

describe('what becomes of endpoints and deliveries', () => {
  let bench: Bench;
  before(async () => {
    bench = await createBench();
  });
  after(() => bench.stop());
  beforeEach(() => bench.start());

  const ended = (outcome: string): number => bench.running.counted('returnit_webhooks_deliveries_total', { outcome });
  const failures = (): number => bench.running.counted('returnit_webhooks_attempts_total', { outcome: 'rejected' });
  const endpointOf = async (endpointId: string) =>
    (await bench.askOps('GET /webhooks/endpoints/{endpointId}', { params: { endpointId } })).body;
  const patch = (endpointId: string, body: object) =>
    bench.ask('PATCH /webhooks/endpoints/{endpointId}', { params: { endpointId }, body });
  const redeliver = (deliveryId: unknown, partnerId = 'p1') =>
    bench.ask('POST /webhooks/deliveries/{deliveryId}/redeliver', { params: { deliveryId } }, partnerId);
  const written = (deliveryId: unknown, state: string) =>
    until(`it is ${state}`, async () =>
      (await bench.deliveries()).find((one) => one['deliveryId'] === deliveryId && one['state'] === state),
    );

  it('disables an endpoint after five days of failures, keeps what comes for 24 hours, and sends it when it is enabled again', async () => {
    const { receiver } = bench;
    const { endpointId } = await bench.make();
    receiver.manner = answer(500);
    await bench.tell('order.created', { orderId: 'o1' }, 'e1');
    await until('it has failed', () => failures() === 1);
    await until('it is written down', async () => (await endpointOf(endpointId))['failingSince'] !== null);
    await bench.pass(119 * hourSeconds);
    await until('it was given up', () => ended('failed') === 1);
    assert.equal((await endpointOf(endpointId))['state'], 'enabled');
    await bench.pass(2 * hourSeconds);
    await bench.tell('order.created', { orderId: 'o2' }, 'e2');
    await until('it is disabled', async () => (await endpointOf(endpointId))['state'] === 'disabled');
    const endpoint = await endpointOf(endpointId);
    assert.equal(endpoint['disabledReason'], 'failing');
    assert.deepEqual(bench.data.find('webhook.endpoint_disabled').at(-1)?.data['reason'], 'failing');
    const tried = receiver.received.length;
    await bench.tell('order.created', { orderId: 'o3' }, 'e3');
    await bench.running.work('webhooks.deliver', {});
    assert.equal(
      (await bench.ask('POST /webhooks/endpoints/{endpointId}/test', { params: { endpointId } })).code,
      'WEBHOOK_ENDPOINT_DISABLED',
    );
    const [failed] = await bench.deliveries({ state: 'failed' });
    assert.equal((await redeliver(failed?.['deliveryId'])).code, 'WEBHOOK_ENDPOINT_DISABLED');
    assert.equal(receiver.received.length, tried);
    receiver.manner = answer(204);
    const enabled = await patch(endpointId, { enabled: true });
    assert.deepEqual(
      [enabled.body['state'], enabled.body['disabledReason'], enabled.body['failingSince']],
      ['enabled', null, null],
    );
    await bench.pass(10);
    await until('both have arrived', () => ended('delivered') === 2);
    assert.deepEqual(
      receiver.received
        .slice(tried)
        .map(({ id }) => id)
        .toSorted(),
      ['msg_e2', 'msg_e3'],
    );
  });

  it('disables an endpoint after so many deliveries in a row that were given up', async () => {
    await bench.start({ WEBHOOKS_DISABLE_AFTER_DELIVERIES: '2' });
    const { endpointId } = await bench.make();
    bench.receiver.manner = answer(500);
    for (const [index, state] of ['enabled', 'disabled'].entries()) {
      await bench.tell('order.created', { orderId: `o${index}` }, `e${index}`);
      const before = failures();
      await until('it has failed', () => failures() > before);
      await until(
        'it is written down',
        async () => (await bench.deliveries({ state: 'pending' }))[0]?.['lastError'] === 'status 500',
      );
      await bench.pass(25 * hourSeconds);
      await until('it was given up', () => ended('failed') === index + 1);
      await until(`it is ${state}`, async () => (await endpointOf(endpointId))['state'] === state);
    }
  });

  it('lets a partner pause: what comes meanwhile is sent afterwards, or given up after 24 hours', async () => {
    const { endpointId } = await bench.make();
    const paused = await patch(endpointId, { enabled: false });
    assert.deepEqual([paused.body['state'], paused.body['disabledReason']], ['disabled', 'partner']);
    assert.equal(
      bench.data.find('webhook.endpoint_disabled').some(({ data }) => data['endpointId'] === endpointId),
      false,
    );
    await bench.tell('order.created', { orderId: 'o1' }, 'e1');
    await bench.pass(24 * hourSeconds + 400);
    await bench.tell('order.created', { orderId: 'o2' }, 'e2');
    await bench.running.work('webhooks.expire', {});
    assert.equal(ended('expired'), 1);
    const [expired] = await bench.deliveries({ state: 'failed' });
    assert.deepEqual([expired?.['lastError'], expired?.['orderId']], ['expired', 'o1']);
    await patch(endpointId, { enabled: true });
    await until('the other has arrived', () => bench.receiver.received.length === 1);
    assert.equal(bench.receiver.received[0]?.id, 'msg_e2');
  });

  it('sends again by hand with the same id, also what was delivered, and for its partner alone', async () => {
    const { receiver } = bench;
    const { endpointId } = await bench.make();
    await bench.tell('order.created', {}, 'e1');
    await until('it has arrived', () => ended('delivered') === 1);
    const [delivery] = await bench.deliveries();
    const { deliveryId } = delivery ?? {};
    assert.equal((await redeliver(deliveryId, 'p2')).code, 'WEBHOOK_DELIVERY_NOT_FOUND');
    assert.equal((await redeliver(deliveryId)).status, 202);
    await until('it has arrived again', () => ended('delivered') === 2);
    assert.deepEqual(
      receiver.received.map(({ id }) => id),
      ['msg_e1', 'msg_e1'],
    );
    const { body } = await bench.ask('GET /webhooks/deliveries/{deliveryId}', { params: { deliveryId } });
    assert.deepEqual(
      [body['attempts'], (body['log'] as unknown[]).length, JSON.parse(String(body['body']))],
      [2, 2, JSON.parse(receiver.received[0]?.body ?? '')],
    );
    assert.equal(
      (await bench.ask('GET /webhooks/deliveries/{deliveryId}', { params: { deliveryId } }, 'p2')).status,
      404,
    );
    await bench.ask('DELETE /webhooks/endpoints/{endpointId}', { params: { endpointId } });
    assert.equal((await redeliver(deliveryId)).code, 'WEBHOOK_ENDPOINT_NOT_FOUND');
  });

  it('tries at once what waits for its next attempt, when it is asked to', async () => {
    await bench.make();
    bench.receiver.manner = answer(500);
    await bench.tell('order.created');
    await until('it has failed', () => failures() === 1);
    const [delivery] = await until('it waits', async () => {
      const found = await bench.deliveries();
      return Date.parse(String(found[0]?.['dueAt'])) > Date.now() ? found : undefined;
    });
    bench.receiver.manner = answer(200);
    assert.equal((await redeliver(delivery?.['deliveryId'])).status, 202);
    await written(delivery?.['deliveryId'], 'delivered');
  });

  it('sends a test to one endpoint, once for each key', async () => {
    const { endpointId } = await bench.make();
    await bench.make();
    const ask = (key: string) =>
      bench.ask('POST /webhooks/endpoints/{endpointId}/test', {
        params: { endpointId },
        headers: { 'idempotency-key': key },
      });
    const replies = [await ask('a'), await ask('a'), await ask('b')];
    assert.deepEqual(
      replies.map(({ status }) => status),
      [202, 202, 202],
    );
    assert.equal(new Set(replies.map(({ body }) => body['deliveryId'])).size, 2);
    await until('both have arrived', () => ended('delivered') === 2);
    assert.deepEqual(
      bench.receiver.received.map(({ type, data }) => [type, data]),
      Array.from({ length: 2 }, () => ['webhook.test', { schemaVersion: 1, endpointId }]),
    );
  });

  it('keeps no more than so many waiting for an endpoint, and shows what was dropped', async () => {
    await bench.start({ WEBHOOKS_BACKLOG_MAX: '3' });
    const { endpointId } = await bench.make();
    const other = await bench.make();
    await patch(endpointId, { enabled: false });
    for (let index = 0; index < 5; index += 1) {
      await bench.tell('order.created', { orderId: `o${index}` }, `e${index}`);
      await until('the other endpoint has it', () => ended('delivered') === index + 1);
    }
    assert.equal(ended('dropped'), 2);
    const dropped = await bench.deliveries({ endpointId, state: 'failed' });
    assert.deepEqual(
      dropped.map((one) => [one['orderId'], one['lastError']]),
      [
        ['o4', 'backlog full'],
        ['o3', 'backlog full'],
      ],
    );
    assert.equal((await bench.deliveries({ endpointId: other.endpointId, state: 'failed' })).length, 0);
    await patch(endpointId, { enabled: true });
    await until('what waited has arrived', () => ended('delivered') === 8);
    assert.equal((await redeliver(dropped[0]?.['deliveryId'])).status, 202);
    await until('and what was dropped, by hand', () => ended('delivered') === 9);
    bench.receiver.manner = silent;
    for (const index of [6, 7, 8]) await bench.tell('order.created', { orderId: `o${index}` }, `e${index}`);
    assert.equal((await redeliver(dropped[1]?.['deliveryId'])).code, 'WEBHOOK_BACKLOG_FULL');
    assert.equal(
      (await bench.ask('POST /webhooks/endpoints/{endpointId}/test', { params: { endpointId } })).code,
      'WEBHOOK_BACKLOG_FULL',
    );
  });

  it('cancels what waits when its endpoint is deleted, and shows how many endpoints and deliveries there are', async () => {
    const { endpointId } = await bench.make();
    await patch((await bench.make({}, 'p2')).endpointId, { enabled: true });
    await patch(endpointId, { enabled: false });
    await bench.tell('order.created', { orderId: 'o1' }, 'e1');
    await bench.tell('order.created', { orderId: 'o2' }, 'e2');
    const { running } = bench;
    await running.repeat('figures');
    assert.deepEqual(
      [
        running.shown('returnit_webhooks_endpoints', { health: 'healthy' }),
        running.shown('returnit_webhooks_endpoints', { health: 'disabled_partner' }),
        running.shown('returnit_webhooks_backlog', { state: 'enabled' }),
        running.shown('returnit_webhooks_backlog_largest', { state: 'disabled' }),
      ],
      [1, 1, 0, 2],
    );
    assert.equal((await bench.ask('DELETE /webhooks/endpoints/{endpointId}', { params: { endpointId } })).status, 204);
    assert.equal(ended('cancelled'), 2);
    assert.deepEqual(
      (await bench.deliveries({ endpointId })).map(({ state }) => state),
      ['cancelled', 'cancelled'],
    );
    assert.equal((await bench.ask('GET /webhooks/endpoints/{endpointId}', { params: { endpointId } })).status, 404);
    assert.deepEqual(
      await bench.data.sql(
        'select from webhook_secrets s join webhook_endpoints e using (endpoint_id) where e.deleted_at is not null',
      ),
      [],
    );
  });

  it('forgets what is older than the retention, and seals secrets anew with the current key', async () => {
    const { endpointId, secret } = await bench.make();
    await bench.make();
    await bench.tell('order.created', {}, 'e1');
    await until('it has arrived', () => ended('delivered') === 2);
    await bench.ask('DELETE /webhooks/endpoints/{endpointId}', { params: { endpointId } });
    const kept = await bench.make();
    await bench.pass(31 * 24 * hourSeconds);
    await bench.tell('order.created', {}, 'e2');
    await until('it has arrived', () => ended('delivered') === 4);
    const fresh = Buffer.alloc(32, 10).toString('base64');
    await bench.restart({ WEBHOOKS_SECRET_KEY: `${fresh},${secretKey}` });
    await bench.running.work('webhooks.prune', {});
    assert.equal(bench.running.counted('returnit_webhooks_pruned_total', {}), 2);
    const count = async (table: string) =>
      Number((await bench.data.sql(`select count(*) from ${table}`))[0]?.['count']);
    assert.deepEqual(
      [
        await count('webhook_deliveries'),
        await count('webhook_messages'),
        await count('webhook_attempts'),
        await count('webhook_endpoints'),
      ],
      [2, 1, 2, 2],
    );
    await bench.restart({ WEBHOOKS_SECRET_KEY: fresh });
    await bench.tell('order.created', { orderId }, 'e3');
    await until('it has arrived with the secrets as they were', () => ended('delivered') === 2);
    assert.deepEqual(bench.receiver.forged, []);
    assert.notEqual(secret, kept.secret);
  });
});
