/** A broker of a few lines, for what no real one does when it is asked to. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import mqttPacket from 'mqtt-packet';

export const filter = 'drivers/+/location';
const refused = 135;

export interface ScriptedBroker {
  readonly url: string;
  /** Connections of the plugin, and its subscriptions, in order. */
  readonly connections: Socket[];
  readonly subscribed: string[];
  /** Pings of the plugin's connections; none is answered. */
  readonly pings: number;
  /** What the plugin's connections have said of their window (MQTT 5 §3.1.2.11.3), in order. */
  readonly windows: (number | undefined)[];
}

/** Speaks as much MQTT 5 as a node needs, and answers each of the plugin's SUBSCRIBEs as told. */
export async function startScriptedBroker(
  t: TestContext,
  answer: (attempt: number) => 'granted' | 'refused' | 'garbage' | 'nothing',
): Promise<ScriptedBroker> {
  const broker = {
    url: '',
    connections: [] as Socket[],
    subscribed: [] as string[],
    pings: 0,
    windows: [] as (number | undefined)[],
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
        if (isPlugin) {
          broker.connections.push(socket);
          broker.windows.push(packet.properties?.receiveMaximum);
        }
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
      } else if (packet.cmd === 'pingreq' && isPlugin) {
        broker.pings += 1;
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

/** A message of a device, as the broker sends it to a node. */
export const toPublish = (payload: string, messageId: number): Buffer =>
  mqttPacket.generate(
    { cmd: 'publish', topic: 'drivers/d1/location', payload, qos: 1, messageId, dup: false, retain: false },
    { protocolVersion: 5 },
  );
