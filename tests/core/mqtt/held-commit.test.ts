import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import { startExternalNode, type ExternalNode } from './external-node.ts';
import { acceptAll, holdCommits, until } from './fixture.ts';
import { createMosquitto, skipWithoutMosquitto, type Mosquitto } from './mosquitto.ts';
import { createPacketTap, pingResponse, type PacketTap } from './packet-tap.ts';

describe('a commit that takes long, with Mosquitto', { skip: skipWithoutMosquitto }, () => {
  let broker: Mosquitto;
  let tap: PacketTap;
  let device: MqttClient;
  let node: ExternalNode;

  beforeEach(async () => {
    broker = await createMosquitto();
    await broker.start();
    tap = await createPacketTap(broker.url);
    device = await mqtt.connectAsync(broker.url, { clientId: 'phone' });
  });
  afterEach(async () => {
    await device.endAsync(true);
    await node.stop();
    await tap.stop();
    await broker.stop();
  });

  const publish = async (topic: string, from: number, to: number): Promise<void> => {
    const numbers = Array.from({ length: to - from }, (_, index) => String(from + index));
    await Promise.all(numbers.map((number) => device.publishAsync(topic, number, { qos: 1 })));
  };

  it('leaves the connection alive and other topics served, on the same connection', async () => {
    node = await startExternalNode({ url: tap.url, nodeId: 'n1', keepaliveSeconds: 1 });
    const { promise: committed, resolve: commit } = Promise.withResolvers<void>();
    const seen = new Set<string>();
    const fixes = await node.subscribe('drivers/+/location', async (messages) => {
      await committed;
      return acceptAll(messages);
    });
    await node.subscribe('owntracks/+/+', async (messages) => {
      for (const { payload } of messages) seen.add(payload);
      return acceptAll(messages);
    });
    await until('both are subscribed', async () => {
      await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
      await device.publishAsync('owntracks/d1/phone', 'probe', { qos: 1 });
      return fixes.size > 0 && seen.has('probe');
    });
    const { connections } = tap;
    await publish('drivers/d1/location', 0, 300);
    await until('all were read', () => fixes.size >= 300);
    const answered = tap.count(pingResponse);
    // Longer than one and a half times the keep-alive, after which the broker would have given the connection up.
    await until('pings are answered meanwhile', () => tap.count(pingResponse) >= answered + 4);
    await device.publishAsync('owntracks/d1/phone', 'meanwhile', { qos: 1 });
    await until('the other topic is served', () => seen.has('meanwhile'));
    assert.equal(tap.connections, connections);
    assert.equal(node.transport.connected, true);
    assert.equal(await node.sample('returnit_mqtt_reconnects_total'), 0);
    commit();
    await until('all is acknowledged', async () => (await node.sample('returnit_mqtt_inflight_messages')) === 0);
  });

  it('lets the broker send no more than the window, and the rest comes later', async () => {
    node = await startExternalNode({ url: tap.url, nodeId: 'n1', config: { mqttInflightMax: 40 } });
    const { handler, seen, commit } = holdCommits();
    const fixes = await node.subscribe('drivers/+/location', handler);
    await until('it is subscribed', async () => {
      await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
      return fixes.size > 0;
    });
    await publish('drivers/d1/location', 0, 300);
    await until('the window is full', () => fixes.size === 20);
    // The broker has sent what it may when it has answered something that was asked after.
    await node.transport.publish('other', 'x', { qos: 1, retain: false });
    assert.equal(fixes.size, 20);
    assert.equal(await node.sample('returnit_mqtt_inflight_messages'), 20);
    commit();
    await until('the rest has come', () =>
      Array.from({ length: 300 }, (_, i) => String(i)).every((n) => seen.includes(n)),
    );
  });
});
