import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { startExternalNode, type ExternalNode } from './external-node.ts';
import { acceptAll, until } from './fixture.ts';
import { createMosquitto, skipWithoutMosquitto, type Mosquitto } from './mosquitto.ts';

const nodes: ExternalNode[] = [];

async function startNode(url: string, nodeId: string, config: Partial<Config> = {}): Promise<ExternalNode> {
  const node = await startExternalNode({ url, nodeId, config });
  nodes.push(node);
  return node;
}

async function stopNodes(): Promise<void> {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
}

describe('createExternalClient() with Mosquitto', { skip: skipWithoutMosquitto }, () => {
  let broker: Mosquitto;
  let device: MqttClient;

  beforeEach(async () => {
    broker = await createMosquitto();
    await broker.start();
    device = await mqtt.connectAsync(broker.url, { clientId: 'phone', clean: false, reconnectPeriod: 20 });
    device.on('error', () => undefined);
  });
  afterEach(async () => {
    await device.endAsync(true);
    await stopNodes();
    await broker.stop();
  });

  /** A subscription is made when a message gets through. */
  async function awaitSubscription(topic: string, seen: ReadonlySet<string>): Promise<void> {
    await until(`${topic} is subscribed to`, async () => {
      await device.publishAsync(topic, 'probe', { qos: 1 });
      return seen.has('probe');
    });
  }

  it('shares the messages of a plugin among its nodes, each once', async () => {
    const seen = [new Set<string>(), new Set<string>()];
    const counts = new Map<string, number>();
    for (const [index, own] of seen.entries()) {
      const node = await startNode(broker.url, `n${index}`, { mqttShareGuard: 'plain' });
      await node.subscribe('drivers/+/location', async (messages) => {
        for (const { payload } of messages) {
          own.add(payload);
          counts.set(payload, (counts.get(payload) ?? 0) + 1);
        }
        return acceptAll(messages);
      });
    }
    await until('both nodes are subscribed', async () => {
      await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
      return seen.every((own) => own.has('probe'));
    });
    for (const node of nodes) {
      await until('the copies that the others take are passed over', async () => {
        await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
        return (await node.sample('returnit_mqtt_guard_copies_total')) > 1;
      });
    }
    const numbers = Array.from({ length: 500 }, (_, number) => String(number));
    await Promise.all(numbers.map((number) => device.publishAsync('drivers/d1/location', number, { qos: 1 })));
    await until('all have arrived', () => numbers.every((number) => counts.has(number)));
    assert.ok(numbers.every((number) => counts.get(number) === 1));
    assert.ok(seen.every((own) => own.size > 1));
  });

  it('reads on while acknowledgements are held, and another plugin is not held up', async () => {
    const node = await startNode(broker.url, 'n1');
    const { promise: committed, resolve: commit } = Promise.withResolvers<void>();
    const batcher = await node.subscribe('drivers/+/location', async (messages) => {
      await committed;
      return acceptAll(messages);
    });
    const seen = new Set<string>();
    await node.subscribe(
      'scanners/#',
      async (messages) => {
        for (const { payload } of messages) seen.add(payload);
        return acceptAll(messages);
      },
      'parcels',
    );
    await awaitSubscription('scanners/1', seen);
    await until('the slow plugin is subscribed', async () => {
      await device.publishAsync('drivers/d1/location', 'x', { qos: 1 });
      return batcher.size > 0;
    });
    for (let number = 0; number < 200; number += 1)
      await device.publishAsync('drivers/d1/location', String(number), { qos: 1 });
    await until('all were read, none acknowledged', () => batcher.size >= 200);
    await device.publishAsync('scanners/1', 'meanwhile', { qos: 1 });
    await until('the other plugin goes on', () => seen.has('meanwhile'));
    commit();
    await until('all are acknowledged', async () => (await node.sample('returnit_mqtt_inflight_messages')) === 0);
  });

  it('gets again what was not acknowledged when the node stops', async () => {
    const first = await startNode(broker.url, 'n1');
    const waiting = await first.subscribe('drivers/+/location', () => new Promise(() => undefined));
    await until('the first has some', async () => {
      await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
      return waiting.size > 0;
    });
    for (let number = 0; number < 50; number += 1)
      await device.publishAsync('drivers/d1/location', String(number), { qos: 1 });
    await stopNodes();
    const seen = new Set<string>();
    const second = await startNode(broker.url, 'n1');
    await second.subscribe('drivers/+/location', async (messages) => {
      for (const { payload } of messages) seen.add(payload);
      return acceptAll(messages);
    });
    await until('all came again', () =>
      Array.from({ length: 50 }, (_, number) => String(number)).every((number) => seen.has(number)),
    );
  });

  it('loses no message of a numbered stream while the broker restarts and the handler fails at random', async () => {
    const node = await startNode(broker.url, 'n1');
    const stored = new Set<string>();
    let calls = 0;
    await node.subscribe('drivers/+/location', async (messages) => {
      calls += 1;
      if (calls % 3 === 0) throw new AppError('PLUGIN_FAILED', 'Cannot store fixes: the handler failed');
      for (const { payload } of messages) stored.add(payload);
      return acceptAll(messages);
    });
    await until('it is subscribed', async () => {
      await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
      return stored.has('probe');
    });
    await until('the subscription is saved', async () => {
      await device.publishAsync('drivers/d1/location', 'again', { qos: 1 });
      return stored.has('again');
    });
    const numbers = Array.from({ length: 600 }, (_, number) => String(number));
    const send = (part: readonly string[]): Promise<unknown> =>
      Promise.all(part.map((number) => device.publishAsync('drivers/d1/location', number, { qos: 1 })));
    await send(numbers.slice(0, 300));
    await broker.end('SIGTERM');
    await until('the node has noticed', () => !node.transport.connected);
    assert.match(node.transport.problem ?? '', /Cannot reach the MQTT broker/);
    await broker.start();
    await until('all connections are back', () => node.transport.connected);
    await send(numbers.slice(300));
    await until('all are stored', () => numbers.every((number) => stored.has(number)));
    assert.equal(node.transport.connected, true);
    assert.ok((await node.sample('returnit_mqtt_reconnects_total')) >= 1);
  });

  // With and without the plain subscription that is there unless told otherwise.
  for (const mqttShareGuard of ['none', 'plain'] as const) {
    it(`does not get what is retained when it subscribes, with the guard '${mqttShareGuard}'`, async () => {
      await device.publishAsync('drivers/d1/location', 'retained', { qos: 1, retain: true });
      const node = await startNode(broker.url, 'n1', { mqttShareGuard });
      const seen: string[] = [];
      await node.subscribe('drivers/+/location', async (messages) => {
        for (const { payload } of messages) seen.push(payload);
        return acceptAll(messages);
      });
      await until('it is subscribed', async () => {
        await device.publishAsync('drivers/d1/location', 'probe', { qos: 1 });
        return seen.includes('probe');
      });
      assert.ok(!seen.includes('retained'));
    });
  }

  it('is back after the broker was killed', async () => {
    const node = await startNode(broker.url, 'n1');
    const stored = new Set<string>();
    await node.subscribe('drivers/+/location', async (messages) => {
      for (const { payload } of messages) stored.add(payload);
      return acceptAll(messages);
    });
    await awaitSubscription('drivers/d1/location', stored);
    await broker.end('SIGKILL');
    await until('the node has noticed', () => !node.transport.connected);
    await broker.start();
    await until('messages flow again', async () => {
      await device.publishAsync('drivers/d1/location', 'after', { qos: 1 });
      return stored.has('after');
    });
    await until('all connections are back', () => node.transport.connected);
    await node.transport.publish('a', 'b', { qos: 1, retain: false });
  });
});

describe('createExternalClient()', () => {
  afterEach(stopNodes);

  it('starts without its broker, says so, and does not crash', async () => {
    const node = await startNode('mqtt://127.0.0.1:9', 'n1');
    assert.equal(node.transport.connected, false);
    assert.match(node.transport.problem ?? '', /127\.0\.0\.1:9/);
    await assert.rejects(node.transport.publish('a', 'b', { qos: 1, retain: false }), { code: 'BROKER_UNREACHABLE' });
    assert.ok(
      node.telemetry.lines.some(
        (line) => (line['err'] as { code?: string } | undefined)?.code === 'BROKER_UNREACHABLE',
      ),
    );
    assert.equal(await node.sample('returnit_mqtt_connected'), 0);
  });
});
