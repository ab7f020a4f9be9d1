import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import mqttPacket from 'mqtt-packet';
import { startExternalNode, type ExternalNode } from './external-node.ts';
import { acceptAll, until } from './fixture.ts';

const refused = 135;
const filter = 'drivers/+/location';

interface ScriptedBroker {
  readonly url: string;
  /** Connections of the plugin, and its subscriptions, in order. */
  readonly connections: Socket[];
  readonly subscribed: string[];
}

/** Speaks as much MQTT 5 as a node needs, and answers each of the plugin's SUBSCRIBEs as told. */
async function startScriptedBroker(
  t: TestContext,
  answer: (attempt: number) => 'granted' | 'refused' | 'garbage' | 'nothing',
): Promise<ScriptedBroker> {
  const broker: { url: string; connections: Socket[]; subscribed: string[] } = {
    url: '',
    connections: [],
    subscribed: [],
  };
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let isPlugin = false;
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    const send = (packet: mqttPacket.Packet): void =>
      void socket.write(mqttPacket.generate(packet, { protocolVersion: 5 }));
    parser.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        isPlugin = packet.clientId.endsWith('-tracking');
        if (isPlugin) broker.connections.push(socket);
        send({ cmd: 'connack', sessionPresent: false, reasonCode: 0 });
      } else if (packet.cmd === 'subscribe') {
        const messageId = packet.messageId ?? 0;
        const topics = packet.subscriptions.map(({ topic }) => topic);
        if (!isPlugin || !topics.includes(filter)) {
          return send({ cmd: 'suback', messageId, granted: topics.map(() => 1) });
        }
        const reply = answer(broker.subscribed.push(filter));
        if (reply === 'garbage') socket.write(Buffer.from([0x00, 0x00]));
        else if (reply !== 'nothing') send({ cmd: 'suback', messageId, granted: [reply === 'granted' ? 1 : refused] });
      } else if (packet.cmd === 'unsubscribe') {
        send({ cmd: 'unsuback', messageId: packet.messageId ?? 0, granted: packet.unsubscriptions.map(() => 0) });
      } else if (packet.cmd === 'publish' && packet.qos === 1) {
        send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 });
      }
    });
    socket.on('data', (bytes) => parser.parse(Buffer.from(bytes)));
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  broker.url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return broker;
}

async function startNode(t: TestContext, broker: ScriptedBroker, seen: string[]): Promise<ExternalNode> {
  const node = await startExternalNode({ url: broker.url, nodeId: 'n1', config: { mqttShareGuard: 'plain' } });
  t.after(() => node.stop());
  await node.subscribe(filter, async (messages) => {
    for (const { payload } of messages) seen.push(payload);
    return acceptAll(messages);
  });
  return node;
}

const publish = (payload: string): Buffer =>
  mqttPacket.generate(
    { cmd: 'publish', topic: 'drivers/d1/location', payload, qos: 1, messageId: 7, dup: false, retain: false },
    { protocolVersion: 5 },
  );

describe('a connection to an external broker', () => {
  it('asks again for a subscription that was refused, without ending', async (t) => {
    const broker = await startScriptedBroker(t, (attempt) => (attempt < 3 ? 'refused' : 'granted'));
    const seen: string[] = [];
    const node = await startNode(t, broker, seen);
    await until('it is granted', () => broker.subscribed.length === 3);
    assert.equal(broker.connections.length, 1);
    assert.equal(
      node.telemetry.lines.filter(({ msg }) => String(msg).startsWith('The broker refuses a subscription')).length,
      2,
    );
  });

  it('is opened again when what comes is no MQTT', async (t) => {
    const broker = await startScriptedBroker(t, (attempt) => (attempt === 1 ? 'garbage' : 'granted'));
    const seen: string[] = [];
    const node = await startNode(t, broker, seen);
    await until('it has subscribed on another connection', () => broker.subscribed.length === 2);
    assert.equal(broker.connections.length, 2);
    broker.connections[1]?.write(publish('after'));
    await until('messages come', () => seen.includes('after'));
    assert.equal(node.transport.connected, true);
  });

  it('that ends takes nothing along that the plugin has yet to handle', async (t) => {
    const broker = await startScriptedBroker(t, () => 'granted');
    const node = await startExternalNode({ url: broker.url, nodeId: 'n1', config: { mqttShareGuard: 'plain' } });
    t.after(() => node.stop());
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const seen: string[] = [];
    await node.subscribe(filter, async (messages) => {
      await opened;
      for (const { payload } of messages) seen.push(payload);
      return acceptAll(messages);
    });
    await until('it has subscribed', () => broker.subscribed.length === 1);
    const [first] = broker.connections;
    first?.write(publish('0'));
    first?.write(
      mqttPacket.generate(
        { cmd: 'publish', topic: 'drivers/d1/location', payload: '1', qos: 1, messageId: 8, dup: false, retain: false },
        { protocolVersion: 5 },
      ),
    );
    await until('both are there', async () => (await node.sample('returnit_mqtt_inflight_messages')) === 2);
    // As a broker that is killed and comes back without them.
    first?.destroy();
    await until('it is back', () => broker.subscribed.length === 2);
    open();
    await until('both are handled', () => seen.length === 2);
    await until('nothing is in flight', async () => (await node.sample('returnit_mqtt_inflight_messages')) === 0);
  });
});
