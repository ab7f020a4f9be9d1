/** A burst of fixes while no node is there, on the shipped Mosquitto. `RETURNIT_BURST_FIXES=100000` is the nightly form. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import { startExternalNode, type ExternalNode } from '../core/mqtt/external-node.ts';
import { acceptAll } from '../core/mqtt/fixture.ts';
import { createShippedMosquitto, skipWithoutShippedMosquitto, type ShippedMosquitto } from '../core/mqtt/mosquitto.ts';
import { until } from '../support/until.ts';

const fixes = Number(process.env['RETURNIT_BURST_FIXES'] ?? 20_000);
const connections = 20;

describe(`a burst of ${fixes} fixes at the shipped Mosquitto`, { skip: skipWithoutShippedMosquitto }, () => {
  let broker: ShippedMosquitto;
  let phones: MqttClient[];
  let seen: Map<string, number>;
  const nodes: ExternalNode[] = [];

  beforeEach(async () => {
    broker = await createShippedMosquitto();
    await broker.start();
    seen = new Map();
    const node = await startNode();
    await until('its subscription is made', async () => {
      await node.transport.publish('drivers/d0/location', 'probe', { qos: 1, retain: false });
      return seen.has('probe');
    });
    await node.stop();
    seen.clear();
  });
  afterEach(async () => {
    await Promise.all((phones ?? []).map((phone) => phone.endAsync(true)));
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
    await broker.stop();
  });

  async function startNode(): Promise<ExternalNode> {
    const node = await startExternalNode({ url: broker.nodeUrl, nodeId: 'n1' });
    nodes.push(node);
    await node.subscribe('drivers/+/location', async (messages) => {
      for (const { payload } of messages) seen.set(payload, (seen.get(payload) ?? 0) + 1);
      return acceptAll(messages);
    });
    return node;
  }

  /** Publishes as fast as the broker acknowledges. @returns what was acknowledged */
  async function burst(): Promise<string[]> {
    phones = await Promise.all(
      Array.from({ length: connections }, () => mqtt.connectAsync(broker.nodeUrl, { reconnectPeriod: 0 })),
    );
    const acknowledged: string[] = [];
    let next = 0;
    async function send(phone: MqttClient, connection: number): Promise<void> {
      while (next < fixes) {
        const payload = `{"lat":52.52,"lon":13.405,"recordedAt":"2026-11-23T04:00:00.000Z","accuracyM":4,"n":${(next += 1)}}`;
        await phone.publishAsync(`drivers/d${connection}/location`, payload, { qos: 1 });
        acknowledged.push(payload);
      }
    }
    await Promise.all(phones.flatMap((phone, connection) => Array.from({ length: 20 }, () => send(phone, connection))));
    return acknowledged;
  }

  it('is lost in no part while the node is away', async (t) => {
    const startedAt = performance.now();
    const acknowledged = await burst();
    const heldAt = performance.now();
    assert.equal(acknowledged.length, fixes);
    const node = await startNode();
    await until('all have come', () => seen.size >= fixes, 120_000);
    t.diagnostic(
      `held after ${Math.round(heldAt - startedAt)} ms, drained after ${Math.round(performance.now() - heldAt)} ms`,
    );
    assert.ok(acknowledged.every((payload) => seen.get(payload) === 1));
    assert.equal(await node.sample('returnit_mqtt_broker_dropped_total'), 0);
  });
});
