import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import mqttPacket from 'mqtt-packet';
import { createDynamicSecurity } from '#core/mqtt/dynamic-security.ts';
import { until } from './fixture.ts';

const refused = 135;

describe('DynamicSecurity', () => {
  it('connects again when its subscription is refused, and when what comes is no MQTT', async (t) => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      const connection = sockets.length;
      const parser = mqttPacket.parser({ protocolVersion: 5 });
      const answer = (packet: mqttPacket.Packet): void =>
        void socket.write(mqttPacket.generate(packet, { protocolVersion: 5 }));
      parser.on('packet', (packet) => {
        if (packet.cmd === 'connect') answer({ cmd: 'connack', sessionPresent: false, reasonCode: 0 });
        if (packet.cmd !== 'subscribe') return;
        const granted = connection === 1 ? refused : 1;
        if (connection === 2) socket.write(Buffer.from([0x00, 0x00]));
        else answer({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [granted] });
      });
      socket.on('data', (bytes) => parser.parse(Buffer.from(bytes)));
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    let connected = 0;
    const security = createDynamicSecurity({
      url: new URL(`mqtt://127.0.0.1:${port}`),
      clientId: 'node',
      reconnectDelayMs: 10,
      onConnect: () => (connected += 1),
    });
    t.after(async () => {
      await security.stop();
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    security.start();
    await until('its subscription is granted', () => security.connected);
    assert.equal(connected, 1);
    assert.equal(sockets.length, 3);
  });
});
