import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { tell } from '../../../plugins/webhooks/events.ts';
import { until } from '../../support/until.ts';
import { createBench, orderId, type Bench } from './fixture.ts';
import { answer, silent } from './receiver.ts';

describe('deliveries', () => {
  let bench: Bench;
  before(async () => {
    bench = await createBench();
  });
  after(() => bench.stop());
  beforeEach(() => bench.start());

  const ended = (outcome: string): number => bench.running.counted('returnit_webhooks_deliveries_total', { outcome });
  const attempts = (outcome: string): number => bench.running.counted('returnit_webhooks_attempts_total', { outcome });
  const settled = async (query: object = {}): Promise<Record<string, unknown>[]> =>
    until('nothing waits', async () => {
      const deliveries = await bench.deliveries(query);
      return deliveries.every(({ state }) => state !== 'pending') ? deliveries : undefined;
    });
  const logOf = async (deliveryId: unknown): Promise<Record<string, unknown>[]> => {
    const { body } = await bench.askOps('GET /webhooks/deliveries/{deliveryId}', { params: { deliveryId } });
    return body['log'] as Record<string, unknown>[];
  };
  const endpointOf = async (endpointId: string) =>
    (await bench.askOps('GET /webhooks/endpoints/{endpointId}', { params: { endpointId } })).body;

  it('tells each endpoint that wants an event of it, once, signed, however often the event comes', async () => {
    const { receiver } = bench;
    const all = await bench.make();
    await bench.make({ eventTypes: ['order.picked_up', 'payment.captured'] });
    await bench.make({}, 'p2');
    for (const id of ['e1', 'e1', 'e1']) await bench.tell('order.created', { status: 'created', version: 1 }, id);
    await bench.tell('order.picked_up', { status: 'picked_up', version: 2 }, 'e2');
    await bench.tell('payment.captured', { amountMinor: 590, currency: 'EUR' }, 'e3');
    await bench.tell('order.created', { partnerId: null }, 'e4');
    await bench.tell('order.created', { partnerId: 'nobody' }, 'e5');
    await settled();
    assert.deepEqual(receiver.received.map(({ id, type }) => `${id} ${type}`).toSorted(), [
      'msg_e1 order.created',
      'msg_e2 order.picked_up',
      'msg_e2 order.picked_up',
      'msg_e3 payment.captured',
      'msg_e3 payment.captured',
    ]);
    assert.deepEqual(receiver.forged, []);
    const [first] = receiver.received;
    assert.deepEqual(
      [first?.headers['content-type'], first?.headers['user-agent'], first?.path, first?.timestamp],
      ['application/json', 'ReturnIt-Webhooks/1', '/hooks', '2026-05-04T08:00:00.000Z'],
    );
    assert.equal(bench.running.counted('returnit_webhooks_queued_total', {}), 5);
    assert.deepEqual([ended('delivered'), attempts('delivered')], [5, 5]);
    assert.equal(bench.running.recorded.observed.filter(({ labels }) => labels['outcome'] === 'delivered').length, 5);
    const messages = await bench.data.sql('select message_id from webhook_messages order by 1');
    assert.deepEqual(
      messages.map(({ message_id }) => message_id),
      ['msg_e1', 'msg_e2', 'msg_e3'],
    );
    const mine = await bench.deliveries({ endpointId: all.endpointId, state: 'delivered' });
    assert.equal(mine.length, 3);
  });

  it('makes no delivery of an event whose transaction fails', async () => {
    await bench.make();
    const sent = bench.data.sent.length;
    const failing = bench.data.db.transaction(async (tx) => {
      const event = {
        id: 'e1',
        name: 'order.created',
        publishedAt: new Date().toISOString(),
        data: { orderId, partnerId: 'p1' },
      };
      const told = await tell(tx, event, { retrySeconds: 60, backlogMax: 10, reorderWaitSeconds: 0 });
      assert.deepEqual(told, { queued: 1, dropped: 0 });
      throw new Error('the handler fails');
    });
    await assert.rejects(failing, /the handler fails/);
    assert.deepEqual(await bench.deliveries(), []);
    assert.equal(bench.data.sent.length, sent);
  });

  const wrong = {
    'an error': [answer(500, {}, 'oh\u0000 no'), 'rejected', 500, 'status 500'],
    'a redirect': [answer(302, { location: 'http://127.0.0.1:1/' }), 'rejected', 302, 'status 302'],
    'a permanent redirect': [answer(308, { location: '/elsewhere' }), 'rejected', 308, 'status 308'],
    'a 404': [answer(404), 'rejected', 404, 'status 404'],
    'a 429 without a time': [answer(429), 'rejected', 429, 'status 429'],
    'no answer': [silent, 'timeout', null, 'no answer within 300 ms'],
  } as const;
  for (const [what, [manner, outcome, status, error]] of Object.entries(wrong)) {
    it(`takes ${what} for a failure, says so, and tries again`, async () => {
      await bench.start({ WEBHOOKS_TIMEOUT_MS: '300' });
      const { receiver } = bench;
      const { endpointId } = await bench.make();
      receiver.manner = manner;
      await bench.tell('order.created');
      await until('it has failed', () => attempts(outcome) === 1);
      const delivery = await until('it is written down', async () => {
        const [found] = await bench.deliveries();
        return found?.['lastError'] === null ? undefined : found;
      });
      assert.deepEqual(
        [delivery?.['state'], delivery?.['lastStatus'], delivery?.['lastError'], delivery?.['attempts']],
        ['pending', status, error, 1],
      );
      const [log] = await logOf(delivery?.['deliveryId']);
      assert.deepEqual([log?.['outcome'], log?.['status'], log?.['error']], [outcome, status, error]);
      if (what === 'an error') assert.equal(log?.['response'], 'oh  no');
      const endpoint = await endpointOf(endpointId);
      assert.deepEqual([endpoint['consecutiveFailures'], endpoint['state']], [1, 'enabled']);
      assert.equal((endpoint['lastFailure'] as { error: string }).error, error);
      receiver.manner = answer(204);
      await bench.pass(10);
      await settled();
      assert.deepEqual([receiver.received.length, new Set(receiver.received.map(({ id }) => id)).size], [2, 1]);
      assert.deepEqual((await endpointOf(endpointId))['consecutiveFailures'], 0);
      assert.deepEqual((await endpointOf(endpointId))['failingSince'], null);
    });
  }

  it('follows no redirect, and tries a server that is not there again', async () => {
    let asked = 0;
    const elsewhere = createServer((_request, response) => {
      asked += 1;
      response.end();
    }).listen(0, '127.0.0.1');
    await until('it listens', () => elsewhere.listening);
    const { port } = elsewhere.address() as { port: number };
    bench.receiver.manner = answer(307, { location: `http://127.0.0.1:${port}/` });
    await bench.make();
    await bench.tell('order.created');
    await until('it has failed', () => attempts('rejected') === 1);
    assert.equal(asked, 0);
    elsewhere.closeAllConnections();
    await new Promise((resolve) => void elsewhere.close(resolve));
    await bench.make({ url: `http://127.0.0.1:${port}/` }, 'p2');
    await bench.tell('order.created', { partnerId: 'p2' });
    // Here fetch is Node's, whose reasons are not the core's: tests/integration/webhooks.test.ts has those.
    await until('it has failed', () => attempts('unreachable') + attempts('postponed') === 1);
  });

  it('disables an endpoint that is gone at once, and tells of it in the same transaction', async () => {
    const { endpointId } = await bench.make();
    bench.receiver.manner = answer(410);
    await bench.tell('order.created', {}, 'e1');
    const [delivery] = await settled();
    assert.deepEqual([delivery?.['state'], delivery?.['lastStatus'], delivery?.['attempts']], ['failed', 410, 1]);
    const endpoint = await endpointOf(endpointId);
    assert.deepEqual([endpoint['state'], endpoint['disabledReason']], ['disabled', 'gone']);
    const [told, ...others] = bench.data
      .find('webhook.endpoint_disabled')
      .filter(({ data }) => data['endpointId'] === endpointId);
    assert.deepEqual([told?.data['partnerId'], told?.data['reason'], others.length], ['p1', 'gone', 0]);
    assert.match(String(told?.data['host']), /^127\.0\.0\.1:\d+$/);
    assert.equal(bench.running.counted('returnit_webhooks_disabled_total', { reason: 'gone' }), 1);
    assert.equal(ended('failed'), 1);
  });

  it('waits as long as a receiver asks, with all that waits for it', async () => {
    const { receiver } = bench;
    const { endpointId } = await bench.make();
    receiver.manner = answer(429, { 'retry-after': '600' });
    await bench.tell('order.created', { orderId: 'o1' }, 'e1');
    await until('it was throttled', () => attempts('throttled') === 1);
    await until('the endpoint waits', async () => (await endpointOf(endpointId))['pausedUntil'] !== null);
    receiver.manner = answer(204);
    await bench.tell('order.created', { orderId: 'o2' }, 'e2');
    await bench.pass(590);
    const looks = receiver.received.length;
    // Another partner's delivery shows that the sender has looked meanwhile.
    await bench.make({}, 'p2');
    await bench.tell('order.created', { partnerId: 'p2' }, 'e3');
    await until('the other has it', () => receiver.received.some(({ id }) => id === 'msg_e3'));
    assert.equal(receiver.received.length, looks + 1);
    await bench.pass(15);
    await settled();
    assert.deepEqual(receiver.received.map(({ id }) => id).toSorted(), ['msg_e1', 'msg_e1', 'msg_e2', 'msg_e3']);
  });

  it('gives up after 24 hours of attempts, and not before', async () => {
    const { endpointId } = await bench.make();
    bench.receiver.manner = answer(503);
    await bench.tell('order.created');
    let [hours, tried] = [0, 0];
    for (;;) {
      const delivery = await until('another attempt is written down', async () => {
        const [waiting] = await bench.deliveries();
        // The log first: the delivery is then as the attempt has left it.
        if ((await logOf(waiting?.['deliveryId'])).length <= tried) return undefined;
        return (await bench.deliveries())[0];
      });
      if (delivery['state'] === 'failed') break;
      tried += 1;
      // Beyond the pause of the endpoint as well.
      const seconds = Math.max(61, (Date.parse(String(delivery['dueAt'])) - Date.now()) / 1000 + 0.01);
      hours += seconds / 3600;
      await bench.pass(seconds);
    }
    const [delivery] = await bench.deliveries();
    assert.equal(delivery?.['state'], 'failed');
    assert.ok(hours >= 23.9 && hours <= 24.2, `${hours} hours`);
    const count = Number(delivery?.['attempts']);
    assert.ok(count >= 10 && count <= 14, `${count} attempts`);
    assert.equal((await logOf(delivery?.['deliveryId'])).length, count);
    assert.equal((await endpointOf(endpointId))['state'], 'enabled');
  });
});
