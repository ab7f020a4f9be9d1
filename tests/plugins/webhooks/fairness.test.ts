import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { plugin } from '../../../plugins/webhooks/plugin.ts';
import { claimDeliveries } from '../../../plugins/webhooks/store/claims.ts';
import { until } from '../../support/until.ts';
import { createBench, type Bench } from './fixture.ts';
import { silent, startReceiver, type Receiver } from './receiver.ts';

describe('slow and dead endpoints', () => {
  let bench: Bench;
  let dead: Receiver;
  before(async () => {
    bench = await createBench();
  });
  after(() => bench.stop());
  beforeEach(async () => {
    dead = await startReceiver();
    dead.manner = silent;
  });
  afterEach(() => dead.stop());

  const delivered = (): number => bench.running.counted('returnit_webhooks_deliveries_total', { outcome: 'delivered' });

  it('have so many requests under way and no more, and hold up nobody', async () => {
    await bench.start({ WEBHOOKS_TIMEOUT_MS: '60000', WEBHOOKS_CONCURRENCY: '8', WEBHOOKS_ENDPOINT_CONCURRENCY: '2' });
    const { secret } = await bench.make({ url: dead.url }, 'slow');
    dead.secrets.add(secret);
    for (let index = 0; index < 20; index += 1)
      await bench.tell('order.created', { orderId: `s${index}`, partnerId: 'slow' });
    await until('two are under way', () => dead.open() === 2);
    await bench.make();
    for (let index = 0; index < 40; index += 1) await bench.tell('order.created', { orderId: `o${index}` });
    await until('the other partner has all', () => delivered() === 40);
    assert.deepEqual([dead.openMax(), dead.received.length], [2, 2]);
    assert.ok(bench.receiver.openMax() <= 2);
  });

  it('have half of the room together, however many there are', async () => {
    await bench.start({ WEBHOOKS_TIMEOUT_MS: '60000', WEBHOOKS_CONCURRENCY: '8', WEBHOOKS_ENDPOINT_CONCURRENCY: '2' });
    for (let index = 0; index < 12; index += 1) {
      const { endpointId, secret } = await bench.make({ url: dead.url }, `dead${index}`);
      dead.secrets.add(secret);
      await bench.data.sql(
        'update webhook_endpoints set consecutive_failures = 1, failing_since = now() where endpoint_id = $1',
        [endpointId],
      );
      await bench.tell('order.created', { orderId: `d${index}`, partnerId: `dead${index}` });
    }
    await until('half of the room is taken', () => dead.open() === 4);
    await bench.make();
    for (let index = 0; index < 40; index += 1) await bench.tell('order.created', { orderId: `o${index}` });
    await until('the partner that works has all', () => delivered() === 40);
    assert.equal(dead.openMax(), 4);
  });

  it('are tried one request at a time once they fail', async () => {
    await bench.start({ WEBHOOKS_TIMEOUT_MS: '100', WEBHOOKS_ENDPOINT_CONCURRENCY: '4' });
    const { endpointId, secret } = await bench.make({ url: dead.url });
    dead.secrets.add(secret);
    for (let index = 0; index < 20; index += 1) await bench.tell('order.created', { orderId: `s${index}` });
    const failuresOf = async () =>
      Number(
        (await bench.askOps('GET /webhooks/endpoints/{endpointId}', { params: { endpointId } })).body[
          'consecutiveFailures'
        ],
      );
    await until('it fails', async () => (await failuresOf()) >= 3);
    await until('nothing is under way', () => dead.open() === 0);
    const before = dead.received.length;
    await bench.pass(60);
    await until('it is tried again', () => dead.received.length > before);
    assert.equal(dead.received.length, before + 1);
  });

  it('take no turn while they have all the requests that they may have', async () => {
    await bench.start();
    await plugin.stop?.();
    const slow = await bench.make({}, 'slow');
    const other = await bench.make();
    for (let index = 0; index < 5; index += 1) {
      await bench.tell('order.created', { orderId: `s${index}`, partnerId: 'slow' });
    }
    const claim = async (limit: number): Promise<string[]> => {
      const options = { failing: false, limit, endpointConcurrency: 2, leaseSeconds: 60 };
      return (await claimDeliveries(bench.data.db, options)).map(({ endpointId }) => endpointId);
    };
    assert.deepEqual(await claim(8), [slow.endpointId, slow.endpointId]);
    for (const orderId of ['o1', 'o2']) {
      await bench.tell('order.created', { orderId });
      // The second time it is the slow one that was served longest ago.
      assert.deepEqual(await claim(1), [other.endpointId]);
    }
    assert.deepEqual(await claim(8), []);
  });

  it('take their turns: a partner with much does not keep others waiting', async () => {
    await bench.start({ WEBHOOKS_CONCURRENCY: '2', WEBHOOKS_ENDPOINT_CONCURRENCY: '2' });
    const { endpointId } = await bench.make({}, 'much');
    const patch = (enabled: boolean) =>
      bench.ask('PATCH /webhooks/endpoints/{endpointId}', { params: { endpointId }, body: { enabled } }, 'much');
    await patch(false);
    for (let index = 0; index < 60; index += 1)
      await bench.tell('order.created', { orderId: `m${index}`, partnerId: 'much' });
    await bench.make({}, 'little');
    await bench.tell('order.created', { orderId: 'l1', partnerId: 'little' }, 'before');
    await until('the small one has it', () => bench.receiver.received.length === 1);
    await patch(true);
    await bench.tell('order.created', { orderId: 'l2', partnerId: 'little' }, 'little');
    await until('all have arrived', () => delivered() === 62);
    const place = bench.receiver.received.findIndex(({ id }) => id === 'msg_little');
    assert.ok(place < 30, `it was the ${place}th`);
  });
});
