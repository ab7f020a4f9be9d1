/** Two nodes on one database and one broker: a client of either sees what any of them is told. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import mqtt from 'mqtt';
import { createMosquitto, type Mosquitto } from '../core/mqtt/mosquitto.ts';
import { startExternalPostgres, type ExternalPostgres } from '../support/external-postgres.ts';
import { book, connectDriver, near, orderReached, placeOf, type Device } from '../support/journey.ts';
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
    const config = { databaseUrl: postgres.url, mqttUrl: mosquitto.url, dbPoolMax: 40, liveRecheckMs: 60_000 };
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

  it('show each position once on both, only forward in fix time, and end on both', async () => {
    const [first, second] = nodes;
    assert.ok(first !== undefined && second !== undefined);
    const place = placeOf(1);
    const customer = await first.as('customer', 'both');
    const driver = await first.as('driver', 'roaming-driver');
    await device.publish(near(place, 2));
    const { orderId } = await book(customer, place);
    await orderReached(customer, orderId, 'assigned');
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
    const heard = await Promise.all(
      nodes.map((node) => node.sample('returnit_mqtt_node_messages_total', { direction: 'received' })),
    );
    assert.ok(
      heard.every((count) => count > 0) || heard.some((count) => count >= 20),
      'positions went from node to node',
    );
    for (const step of ['pickup', 'deliver', 'complete']) await driver.ok('POST', `/orders/${orderId}/${step}`);
    for (const client of clients) assert.equal((await client.next('closed')).reason, 'the order is completed');
  });

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
