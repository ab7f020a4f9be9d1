import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { plugin } from '../../../plugins/webhooks/plugin.ts';
import { claimDeliveries } from '../../../plugins/webhooks/store/claims.ts';
import { until } from '../../support/until.ts';
import { createBench, type Bench } from './fixture.ts';
import { answer, silent } from './receiver.ts';

describe('order', () => {
  let bench: Bench;
  before(async () => {
    bench = await createBench();
  });
  after(() => bench.stop());
  beforeEach(() => bench.start());

  const ended = (outcome: string): number => bench.running.counted('returnit_webhooks_deliveries_total', { outcome });
  const failures = (): number => bench.running.counted('returnit_webhooks_attempts_total', { outcome: 'rejected' });
  const step = (orderId: string, version: number) =>
    bench.tell('order.started', { orderId, version }, `${orderId}-${version}`);
  const ids = (): string[] => bench.receiver.received.map(({ id }) => id);

  it('has a later event of an order wait until the one before is delivered, and no other order', async () => {
    const { receiver } = bench;
    await bench.make();
    receiver.manner = (response, { id }) => answer(id === 'msg_a-1' ? 500 : 204)(response, {} as never);
    await step('a', 1);
    await until('it has failed', () => failures() === 1);
    await until('it waits', async () => (await bench.deliveries())[0]?.['lastError'] === 'status 500');
    await step('a', 2);
    await step('b', 1);
    await step('b', 2);
    await bench.tell('payment.captured', { orderId: 'a' }, 'a-payment');
    await until('the others have arrived', () => ended('delivered') === 3);
    assert.deepEqual(
      ids().filter((id) => id.startsWith('msg_b')),
      ['msg_b-1', 'msg_b-2'],
    );
    assert.ok(!ids().includes('msg_a-2'));
    receiver.manner = answer(204);
    await bench.pass(10);
    await until('all have arrived', () => ended('delivered') === 5);
    assert.deepEqual(
      ids().filter((id) => /^msg_a-\d/.test(id)),
      ['msg_a-1', 'msg_a-1', 'msg_a-2'],
    );
  });

  it('goes on with the next when one is given up, and one that is sent again by hand holds up nothing', async () => {
    const { receiver } = bench;
    await bench.make();
    receiver.manner = (response, { id }) => answer(id === 'msg_a-1' ? 500 : 204)(response, {} as never);
    await step('a', 1);
    await until('it waits', async () => (await bench.deliveries())[0]?.['lastError'] === 'status 500');
    await step('a', 2);
    await bench.data.sql(
      `update webhook_deliveries set expires_at = now(), due_at = now() where message_id = 'msg_a-1'`,
    );
    await until('it was given up', () => ended('failed') === 1);
    await until('the next has arrived', () => ended('delivered') === 1);
    const [failed] = await bench.deliveries({ state: 'failed' });
    const again = { params: { deliveryId: failed?.['deliveryId'] } };
    assert.equal((await bench.ask('POST /webhooks/deliveries/{deliveryId}/redeliver', again)).status, 202);
    await until('it has failed again', () => failures() === 3);
    await step('a', 3);
    await until('what came after has arrived', () => ended('delivered') === 2);
    assert.deepEqual(
      ids().filter((id) => id !== 'msg_a-1'),
      ['msg_a-2', 'msg_a-3'],
    );
  });

  it('waits a moment for an event that was overtaken on its way, and not for ever', async () => {
    await bench.make();
    await step('a', 1);
    await until('the first has arrived', () => ended('delivered') === 1);
    await step('a', 3);
    await step('a', 4);
    assert.equal((await bench.deliveries({ state: 'pending' })).length, 2);
    await step('a', 2);
    await until('all have arrived', () => ended('delivered') === 4);
    assert.deepEqual(ids(), ['msg_a-1', 'msg_a-2', 'msg_a-3', 'msg_a-4']);
    await step('a', 6);
    await bench.pass(5);
    await until('it no longer waits', () => ended('delivered') === 5);
  });

  it('keeps the order of each order at each endpoint, whatever comes in which order, twice, and fails', async () => {
    await bench.start({ WEBHOOKS_REORDER_WAIT_MS: '60000', WEBHOOKS_POLL_MS: '50' });
    const { receiver } = bench;
    await bench.make();
    await bench.make({ url: `${receiver.url}/second` });
    const versions = 4;
    const run = fc.record({
      events: fc.shuffledSubarray(
        ['a', 'b', 'c'].flatMap((name) => Array.from({ length: versions }, (_, index) => [name, index + 1] as const)),
        { minLength: 3 * versions },
      ),
      failing: fc.array(fc.nat(9), { maxLength: 6 }),
    });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(run, async ({ events, failing }) => {
        round += 1;
        receiver.received.length = 0;
        let requests = 0;
        receiver.manner = (response, received) =>
          answer(failing.includes((requests += 1)) ? 500 : 204)(response, received);
        const before = ended('delivered');
        await Promise.all(
          [...events, ...events.slice(0, 3)].map(([name, version]) => step(`${name}${round}`, version)),
        );
        const all = 2 * 3 * versions;
        await until('all have arrived', async () => {
          if (ended('delivered') - before === all) return true;
          // Not the wait for one that was overtaken: that must end by itself.
          await bench.data.sql(
            `update webhook_deliveries set due_at = now() where attempts > 0 and leased_until is null and state = 'pending'`,
          );
          await bench.data.sql('update webhook_endpoints set paused_until = null where paused_until is not null');
          return false;
        });
        for (const path of ['/hooks', '/hooks/second']) {
          for (const name of ['a', 'b', 'c']) {
            const got = receiver.received
              .filter((one) => one.path === path && one.data['orderId'] === `${name}${round}`)
              .map(({ data }) => Number(data['version']));
            // One that failed comes again at once: without repetitions it is one after the other.
            assert.deepEqual(
              got,
              got.toSorted((x, y) => x - y),
            );
            assert.equal(new Set(got).size, versions);
          }
        }
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  it('sends nothing twice and bounds what is under way while several senders share the work', async () => {
    const { receiver } = bench;
    await bench.start({ WEBHOOKS_ENDPOINT_CONCURRENCY: '2' });
    await bench.make();
    receiver.manner = silent;
    await bench.data.sql(`update webhook_endpoints set state = 'disabled', disabled_reason = 'partner'`);
    for (let index = 0; index < 12; index += 1) await step(`o${index}`, 1);
    // The plugin's own sender has nothing to do with it: its endpoint opens for these alone.
    await plugin.stop?.();
    await bench.data.sql(`update webhook_endpoints set state = 'enabled', disabled_reason = null`);
    const options = { failing: false, limit: 8, endpointConcurrency: 2, leaseSeconds: 60 };
    const claims = (
      await Promise.all(Array.from({ length: 10 }, () => claimDeliveries(bench.data.db, options)))
    ).flat();
    assert.equal(claims.length, 2);
    assert.equal(new Set(claims.map(({ deliveryId }) => deliveryId)).size, 2);
    // What was claimed by one that died comes again when its lease is over; the rest is as new.
    await bench.pass(61);
    const again = await claimDeliveries(bench.data.db, { ...options, limit: 20, endpointConcurrency: 20 });
    assert.equal(again.length, 12);
    const twice = again.filter(({ attempts }) => attempts === 2).map(({ messageId }) => messageId);
    assert.deepEqual(twice.toSorted(), claims.map(({ messageId }) => messageId).toSorted());
  });
});
