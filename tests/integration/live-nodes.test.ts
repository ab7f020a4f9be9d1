/** Two nodes on one database and one broker: a client of either sees what any of them is told. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import mqtt from 'mqtt';
import { createMosquitto, type Mosquitto } from '../core/mqtt/mosquitto.ts';
import { startExternalPostgres, type ExternalPostgres } from '../support/external-postgres.ts';
import { book, connectDriver, near, orderReached, ordersFollowed, placeOf, type Device } from '../support/journey.ts';
import { watchByEvents, watchBySocket, type LiveClient } from '../support/live-client.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { skipWithout } from '../support/programs.ts';
import { until } from '../support/until.ts';

const skip = skipWithout(['postgres', 'initdb', 'mosquitto'], 'postgresql-15 mosquitto');

describe('live streams of two nodes', { skip }, () => {
  let postgres: ExternalPostgres;
  let mosquitto: Mosquitto;
  let nodes: TestPlatform[] = [];
  let device: Device;
  const clients: LiveClient[] = [];
  before(async () => {
    postgres = await startExternalPostgres();
    mosquitto = await createMosquitto();
    await mosquitto.start();
    // What is not told from node to node is not found out from time to time either.
    const config = { databaseUrl: postgres.url, mqttUrl: mosquitto.url, dbPoolMax: 40, liveRecheckMs: 3_600_000 };
    nodes = [await startPlatform({ config }), await startPlatform({ config })];
    const [first] = nodes;
    assert.ok(first !== undefined);
    device = await connectDriver(first, 'roaming-driver');
  });
  after(async () => {
    for (const client of clients) client.close();
    await device?.close();
    for (const node of nodes) await node.stop();
    await mosquitto?.stop();
    await postgres?.stop();
  });

  it('carry a position from the node that took it to a client of the other, both ways', async (t) => {
    const [first, second] = nodes;
    assert.ok(first !== undefined && second !== undefined);
    const place = placeOf(3);
    const phone = await connectDriver(first, 'both-ways');
    const { username, password } = phone;
    await phone.close();
    const startSeconds = Math.floor(Date.now() / 1000) - 60;
    // By HTTP, which says which node takes it; of the broker's messages either may take any.
    const report = async (node: TestPlatform, step: number): Promise<void> => {
      const answer = await fetch(`${node.app.addresses.api}/tracking/owntracks`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ _type: 'location', ...near(place, step), tst: startSeconds + step, tid: 'bw', acc: 6 }),
      });
      assert.deepEqual([answer.status, await answer.text()], [200, '[]']);
    };
    await report(first, 1);
    const customer = await first.as('customer', 'both-ways');
    const { orderId } = await book(customer, place);
    await orderReached(customer, orderId, 'assigned');
    await ordersFollowed(nodes, 1);
    await (await first.as('driver', 'both-ways')).ok('POST', `/orders/${orderId}/start`);
    const channel = `orders/${orderId}/position`;
    const watching: LiveClient[] = [];
    for (const node of nodes) {
      const token = await node.token('customer', 'both-ways');
      watching.push(await watchBySocket({ url: node.app.addresses.api, token, channel }));
    }
    t.after(() => watching.forEach((client) => client.close()));
    for (const client of watching) await client.next('snapshot');
    const published = (node: TestPlatform): Promise<number> => node.sample('returnit_live_messages_published_total');
    for (let step = 2; step < 12; step += 1) {
      const [taker, other]: readonly [TestPlatform, TestPlatform] = step % 2 === 0 ? [first, second] : [second, first];
      const earlier: readonly number[] = [await published(taker), await published(other)];
      await report(taker, step);
      for (const client of watching) await client.next(({ data }) => data?.lat === near(place, step).lat);
      const later: readonly number[] = [await published(taker), await published(other)];
      assert.deepEqual(
        later.map((count, index) => count - (earlier[index] ?? 0)),
        [1, 0],
        'the one that took it published it, the other was told',
      );
    }
    for (const client of watching) assert.equal(client.values.filter(({ type }) => type === 'change').length, 10);
  });

  it('show each position once on both, only forward in fix time, and end on both', async () => {
    const [first, second] = nodes;
    assert.ok(first !== undefined && second !== undefined);
    const place = placeOf(1);
    const customer = await first.as('customer', 'both');
    const driver = await first.as('driver', 'roaming-driver');
    await device.publish(near(place, 2));
    const { orderId } = await book(customer, place);
    await orderReached(customer, orderId, 'assigned');
    await ordersFollowed(nodes, 2);
    await driver.ok('POST', `/orders/${orderId}/start`);
    const channel = `orders/${orderId}/position`;
    for (const node of [first, second]) {
      const url = node.app.addresses.api;
      // Each node has a key of its own for principals' tokens; share links are signed for all of them.
      const { token: link } = await customer.ok<{ token: string }>('POST', `/tracking/orders/${orderId}/shares`, {});
      clients.push(await watchBySocket({ url, token: await node.token('customer', 'both'), channel }));
      clients.push(await watchByEvents({ url, token: link, channel }));
    }
    for (const client of clients) await client.next('snapshot');
    for (const node of [first, second]) await assertRevoked(orderId, node);
    const startMs = Date.now() + 1000;
    for (let step = 1; step <= 20; step += 1) {
      await device.publish(near(place, 2 + step), new Date(startMs + step * 100));
      // Late and repeated: nobody is shown it.
      if (step % 5 === 0) await device.publish(near(place, 1), new Date(startMs - 30_000 + step));
    }
    const last = near(place, 22);
    for (const client of clients) {
      await client.next(({ data }) => data?.lat === last.lat);
      const times = client.values.flatMap(({ data }) => (data === undefined ? [] : Date.parse(data.recordedAt)));
      assert.deepEqual(
        times,
        [...new Set(times)].toSorted((one, other) => one - other),
      );
    }
    for (const step of ['pickup', 'deliver', 'complete']) await driver.ok('POST', `/orders/${orderId}/${step}`);
    for (const client of clients) assert.equal((await client.next('closed')).reason, 'the order is completed');
  });

  /** A share link that is revoked at this node ends what it has opened at each. */
  async function assertRevoked(orderId: string, at: TestPlatform): Promise<void> {
    const customer = await at.as('customer', 'both');
    const shares = `/tracking/orders/${orderId}/shares`;
    const { shareId, token } = await customer.ok<{ shareId: string; token: string }>('POST', shares, {});
    const watching: LiveClient[] = [];
    for (const node of nodes) {
      const options = { url: node.app.addresses.api, token, channel: `orders/${orderId}/position` };
      watching.push(await watchBySocket(options), await watchByEvents(options));
    }
    for (const client of watching) await client.next('snapshot');
    await customer.ok('DELETE', `${shares}/${shareId}`);
    for (const client of watching) {
      assert.equal((await client.next('closed')).reason, 'the link has expired or was revoked');
      client.close();
    }
  }

  it('make up for what a broker that was away has lost', async () => {
    const [first, second] = nodes;
    assert.ok(first !== undefined && second !== undefined);
    const place = placeOf(2);
    const customer = await first.as('customer', 'gap');
    const driver = await first.as('driver', 'roaming-driver');
    await device.publish(near(place, 2), new Date(Date.now() + 5000));
    const { orderId } = await book(customer, place);
    await orderReached(customer, orderId, 'assigned');
    await driver.ok('POST', `/orders/${orderId}/start`);
    const channel = `orders/${orderId}/position`;
    const watching: LiveClient[] = [];
    for (const node of [first, second]) {
      const token = await node.token('customer', 'gap');
      watching.push(await watchBySocket({ url: node.app.addresses.api, token, channel }));
    }
    clients.push(...watching);
    for (const client of watching) await client.next('snapshot');
    await mosquitto.end('SIGTERM');
    // Its end is told by the database alone until the nodes reach each other again.
    for (const step of ['pickup', 'deliver', 'complete']) await driver.ok('POST', `/orders/${orderId}/${step}`);
    await until('one node has heard', () =>
      watching.some((client) => client.values.some(({ type }) => type === 'closed')),
    );
    await mosquitto.start();
    for (const client of watching) await client.next('closed');
  });

  it('drop what has another form', async () => {
    const [first] = nodes;
    assert.ok(first !== undefined);
    // At the test's broker anybody may publish anything.
    const client = await mqtt.connectAsync(mosquitto.url, { reconnectPeriod: 0 });
    for (const payload of ['', '{', '{"kind":"value","json":"{"}', '{"kind":"close"}', 'null']) {
      await client.publishAsync('returnit/live/orders/x/position', payload, { qos: 1 });
    }
    await client.endAsync();
    assert.equal((await first.ops('/livez')).status, 200);
  });
});
