import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import packets from 'mqtt-packet';
import { AppError } from '#core/errors/app-error.ts';
import { acceptAll, answered, createFixture, gate, until, type Fixture } from './fixture.ts';

let fixture: Fixture;
afterEach(() => fixture.stop());

describe('createEmbeddedBroker()', () => {
  it('acknowledges only after the handler has resolved, while pings are answered and other topics flow', async () => {
    fixture = await createFixture();
    const commit = gate();
    await fixture.subscribe('drivers/+/location', async (messages) => {
      await commit.opened;
      return acceptAll(messages);
    });
    await fixture.subscribe('drivers/+/status', async (messages) => acceptAll(messages));
    const device = await fixture.device('d1', { keepalive: 60 });
    let acknowledged = 0;
    const publishing = [];
    for (let number = 0; number < 50; number += 1) {
      publishing.push(
        device.publishAsync('drivers/d1/location', String(number), { qos: 1 }).then(() => (acknowledged += 1)),
      );
    }
    const pong = answered(device, 'pingresp');
    device.sendPing();
    await pong;
    await device.publishAsync('drivers/d1/status', 'on', { qos: 1 });
    assert.equal(acknowledged, 0);
    await until(
      'only the held are in flight',
      async () => (await fixture.sample('returnit_mqtt_inflight_messages')) === 50,
    );
    commit.open();
    await Promise.all(publishing);
    await until('nothing is in flight', async () => (await fixture.sample('returnit_mqtt_inflight_messages')) === 0);
    assert.equal(await fixture.sample('returnit_mqtt_ack_duration_seconds_count{qos="1"}'), 51);
  });

  it('holds PUBREC of quality of service 2 in the same way', async () => {
    fixture = await createFixture();
    const commit = gate();
    await fixture.subscribe('drivers/+/location', async (messages) => {
      await commit.opened;
      return acceptAll(messages);
    });
    const device = await fixture.device('d1');
    let done = false;
    const publishing = device.publishAsync('drivers/d1/location', '1', { qos: 2 }).then(() => (done = true));
    const pong = answered(device, 'pingresp');
    device.sendPing();
    await pong;
    assert.equal(done, false);
    commit.open();
    await publishing;
  });

  it('tries a failed batch again and acknowledges it after success', async () => {
    fixture = await createFixture();
    let attempts = 0;
    await fixture.subscribe('drivers/+/location', async (messages) => {
      attempts += 1;
      if (attempts < 4) throw new AppError('PLUGIN_UNAVAILABLE', 'Cannot ask tracking: it is restarting');
      return acceptAll(messages);
    });
    const device = await fixture.device('d1');
    await device.publishAsync('drivers/d1/location', '1', { qos: 1 });
    assert.equal(attempts, 4);
  });

  it('loses no acknowledged message of a numbered stream whose handler fails at random', async () => {
    fixture = await createFixture();
    const stored = new Set<string>();
    let seed = 7;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    await fixture.subscribe('drivers/+/location', async (messages) => {
      if (random() < 0.3) throw new AppError('PLUGIN_FAILED', 'Cannot store fixes: the handler failed');
      for (const message of messages) stored.add(`${message.topic} ${message.payload}`);
      if (random() < 0.2) throw new AppError('PLUGIN_UNAVAILABLE', 'Cannot ask tracking: it died after the commit');
      return acceptAll(messages);
    });
    const acknowledged = new Set<string>();
    await Promise.all(
      ['d1', 'd2', 'd3'].map(async (id) => {
        const device = await fixture.device(id);
        const topic = `drivers/${id}/location`;
        const send = async (number: number): Promise<void> => {
          await device.publishAsync(topic, String(number), { qos: 1 });
          assert.ok(stored.has(`${topic} ${number}`), `${topic} ${number} was acknowledged before it was stored`);
          acknowledged.add(`${topic} ${number}`);
        };
        await Promise.all(Array.from({ length: 700 }, (_, number) => send(number)));
      }),
    );
    assert.equal(acknowledged.size, 2100);
    assert.deepEqual(stored, acknowledged);
  });

  it('keeps messages for a plugin that is expected, and drops what nobody wants', async () => {
    fixture = await createFixture();
    fixture.broker.expect('tracking', ['drivers/+/location']);
    const device = await fixture.device('d1');
    await device.publishAsync('drivers/d1/nobody', '1', { qos: 1 });
    let acknowledged = false;
    const publishing = device.publishAsync('drivers/d1/location', '1', { qos: 1 }).then(() => (acknowledged = true));
    await until('it waits', async () => (await fixture.sample('returnit_mqtt_inflight_messages')) === 1);
    assert.equal(acknowledged, false);
    await fixture.subscribe('drivers/+/location', async (messages) => acceptAll(messages));
    fixture.broker.ready('tracking');
    await publishing;
  });

  it('takes what a client sends before its CONNACK', async () => {
    fixture = await createFixture();
    let handled = 0;
    await fixture.subscribe('drivers/+/location', async (messages) => {
      handled += messages.length;
      return acceptAll(messages);
    });
    const { username, password, clientId } = await fixture.deviceOptions('d1');
    const socket = await fixture.rawSocket();
    socket.resume();
    const connectPacket = packets.generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      keepalive: 60,
      clientId: clientId ?? '',
      username: username ?? '',
      password: Buffer.from(String(password)),
    });
    const publishes = Array.from({ length: 200 }, (_, number) =>
      packets.generate({
        cmd: 'publish',
        topic: 'drivers/d1/location',
        payload: 'x',
        qos: 1,
        messageId: number + 1,
        dup: false,
        retain: false,
      }),
    );
    socket.write(Buffer.concat([connectPacket, ...publishes]));
    await until('all are handled', () => handled === 200);
  });
});
