/** Brokers that speak MQTT 3.1.1 and no newer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Aedes } from 'aedes';
import mqtt, { type MqttClient } from 'mqtt';
import { startExternalNode, type ExternalNode } from './external-node.ts';
import { acceptAll, createFixture, holdCommits, until } from './fixture.ts';

const nodes: ExternalNode[] = [];

async function startNode(url: string): Promise<ExternalNode> {
  const node = await startExternalNode({ url, nodeId: 'n1' });
  nodes.push(node);
  return node;
}

async function stopNodes(): Promise<void> {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
}

describe('createExternalClient() with a broker of MQTT 3.1.1', () => {
  it('falls back to MQTT 3.1.1 with a broker that speaks no newer', async () => {
    const fixture = await createFixture();
    const { username, password } = await fixture.credentials.issue('core', {
      username: 'core',
      publish: ['#'],
      subscribe: ['#'],
    });
    const url = new URL(fixture.broker.address);
    url.username = username;
    url.password = password;
    const node = await startNode(url.href);
    const seen = new Set<string>();
    await node.subscribe('drivers/+/location', async (messages) => {
      for (const { payload } of messages) seen.add(payload);
      return acceptAll(messages);
    });
    const device = await fixture.device('d1');
    await until('a message gets through', async () => {
      await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
      return seen.has('probe');
    });
    await stopNodes();
    await fixture.stop();
  });

  /** A broker that speaks MQTT 3.1.1 alone, and a device at it. */
  async function startOldBroker(t: TestContext): Promise<{ old: Aedes; url: string; device: MqttClient }> {
    const old = new Aedes();
    await old.listen();
    const server = createServer((socket) => old.handle(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const device = await mqtt.connectAsync(url);
    t.after(async () => {
      await stopNodes();
      await device.endAsync(true);
      await new Promise<void>((resolve) => old.close(() => resolve()));
      server.close();
    });
    return { old, url, device };
  }

  it('reads no more than the window where a broker without MQTT 5 cannot be told of it, and stays connected', async (t) => {
    const { old, url, device } = await startOldBroker(t);
    const node = await startExternalNode({ url, nodeId: 'n1', config: { mqttInflightMax: 40 }, keepaliveSeconds: 1 });
    nodes.push(node);
    const { handler, seen, commit } = holdCommits();
    const fixes = await node.subscribe('drivers/+/location', handler);
    await until('it is subscribed', async () => {
      await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
      return fixes.size > 0;
    });
    const numbers = Array.from({ length: 300 }, (_, number) => String(number));
    await Promise.all(numbers.map((number) => device.publishAsync('drivers/d1/location', number, { qos: 1 })));
    await until('the window is full', () => fixes.size === 20);
    // Longer than after which either side would give a silent connection up.
    let pings = 0;
    old.on('ping', (_packet, { id }) => void (pings += Number(id === 'returnit-n1-tracking')));
    await until('it has pinged', () => pings >= 6);
    assert.equal(fixes.size, 20);
    assert.equal(await node.sample('returnit_mqtt_inflight_messages'), 20);
    assert.equal(await node.sample('returnit_mqtt_reconnects_total'), 0);
    commit();
    await until('the rest has come', () => numbers.every((number) => seen.includes(number)));
  });

  it('hands over what is retained, marked as that, where a broker without MQTT 5 sends it', async (t) => {
    const { url, device } = await startOldBroker(t);
    await device.publishAsync('drivers/d1/location', 'kept', { qos: 1, retain: true });
    const node = await startNode(url);
    const seen: string[] = [];
    await node.subscribe('drivers/+/location', async (messages) => {
      seen.push(...messages.map(({ payload, retained }) => `${payload} ${retained}`));
      return acceptAll(messages);
    });
    await until('it arrives', () => seen.length === 1);
    await device.publishAsync('drivers/d1/location', 'new', { qos: 1, retain: true });
    await until('the next arrives', () => seen.length === 2);
    assert.deepEqual(seen, ['kept true', 'new false']);
    const qualities: unknown[] = [];
    device.on('message', (_topic, payload, packet) => qualities.push([String(payload), packet.qos]));
    await device.subscribeAsync('drivers/d1/offers', { qos: 1 });
    for (const expiry of [{}, { expirySeconds: 30 }]) {
      await node.transport.publish('drivers/d1/offers', 'offer', { qos: 1, retain: false, ...expiry });
    }
    await until('both have come', () => qualities.length === 2);
    // It cannot be told when the second expires, so it may not keep that one for anybody.
    assert.deepEqual(qualities, [
      ['offer', 1],
      ['offer', 0],
    ]);
  });
});
