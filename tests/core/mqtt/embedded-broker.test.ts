import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import packets from 'mqtt-packet';
import { AppError } from '#core/errors/app-error.ts';
import { createEmbeddedBroker } from '#core/mqtt/embedded-broker.ts';
import { acceptAll, createFixture, eventOf, until, type Fixture } from './fixture.ts';

let fixture: Fixture;
afterEach(() => fixture.stop());

async function refusal(address: string, options: mqtt.IClientOptions): Promise<string> {
  const client = mqtt.connect(address, options);
  const [error] = (await eventOf(client, 'error')) as [Error];
  await client.endAsync(true);
  return error.message;
}

function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

function answered(client: MqttClient, command: string): Promise<void> {
  return new Promise((resolve) => {
    client.on('packetreceive', (packet) => {
      if (packet.cmd === command) resolve();
    });
  });
}

describe('createEmbeddedBroker()', () => {
  it('admits a device with its secret, and nobody else', async () => {
    fixture = await createFixture();
    const { broker } = fixture;
    const options = await fixture.deviceOptions('d1');
    const device = await mqtt.connectAsync(broker.address, options);
    assert.equal(await fixture.sample('returnit_live_connections{transport="mqtt"}'), 1);
    await device.endAsync();
    assert.match(await refusal(broker.address, { ...options, password: 'wrong' }), /Bad username or password/);
    assert.match(await refusal(broker.address, { ...options, username: 'nobody' }), /Bad username or password/);
    assert.match(await refusal(broker.address, { reconnectPeriod: 0 }), /Not authorized/);
    for (const outcome of ['accepted', 'wrong-secret', 'unknown-user', 'no-credentials']) {
      assert.equal(await fixture.sample(`returnit_mqtt_authentications_total{outcome="${outcome}"}`), 1, outcome);
    }
    await until(
      'no connection is counted',
      async () => (await fixture.sample('returnit_live_connections{transport="mqtt"}')) === 0,
    );
  });

  it('disconnects a revoked device at once and does not let it back', async () => {
    fixture = await createFixture();
    const options = await fixture.deviceOptions('d1');
    const device = await mqtt.connectAsync(fixture.broker.address, options);
    const closed = eventOf(device, 'close');
    await fixture.credentials.revoke('drivers', 'd1');
    await closed;
    await device.endAsync(true);
    assert.match(await refusal(fixture.broker.address, options), /Bad username or password/);
  });

  it('disconnects a device whose secret was replaced', async () => {
    fixture = await createFixture();
    const device = await fixture.device('d1');
    const closed = eventOf(device, 'close');
    await fixture.credentials.issue('drivers', { username: 'd1', publish: ['drivers/d1/#'], subscribe: [] });
    await closed;
  });

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

  it('acknowledges and drops what is published outside the own filters', async () => {
    fixture = await createFixture();
    const seen: string[] = [];
    await fixture.subscribe('drivers/+/location', async (messages) => {
      seen.push(...messages.map((message) => `${message.username} ${message.topic}`));
      return acceptAll(messages);
    });
    const device = await fixture.device('d1');
    for (const topic of ['drivers/d2/location', '$SYS/x', '$share/a/drivers/d1/location']) {
      await device.publishAsync(topic, '1', { qos: 1 });
    }
    await device.publishAsync('drivers/d1/location', '1', { qos: 1 });
    assert.deepEqual(seen, ['d1 drivers/d1/location']);
    assert.equal(await fixture.sample('returnit_mqtt_authorizations_denied_total{action="publish"}'), 3);
  });

  it('lets a device subscribe only within its filters', async () => {
    fixture = await createFixture();
    const device = await fixture.device('d1');
    for (const filter of ['#', '$SYS/#', 'drivers/+/commands', 'drivers/d2/commands']) {
      await assert.rejects(device.subscribeAsync(filter), /Unspecified error/, filter);
    }
    await device.subscribeAsync('drivers/d1/commands');
    const arrived = eventOf(device, 'message');
    await fixture.broker.publish('drivers/d1/commands', 'wake', { qos: 1, retain: false });
    const [topic, payload] = (await arrived) as [string, Buffer];
    assert.deepEqual([topic, payload.toString()], ['drivers/d1/commands', 'wake']);
  });

  it('stores no retained message of a device', async () => {
    fixture = await createFixture();
    await fixture.subscribe('drivers/+/location', async (messages) => acceptAll(messages));
    const device = await fixture.device('d1');
    await device.publishAsync('drivers/d1/location', 'old', { qos: 1, retain: true });
    const second = await fixture.device('d1', { clientId: 'other' });
    let received = 0;
    second.on('message', () => (received += 1));
    await second.subscribeAsync('drivers/d1/#');
    const pong = answered(second, 'pingresp');
    second.sendPing();
    await pong;
    assert.equal(received, 0);
  });

  it('lets a client id take over only the same user', async () => {
    fixture = await createFixture();
    const options = await fixture.deviceOptions('d1', { clientId: 'phone' });
    const first = await mqtt.connectAsync(fixture.broker.address, options);
    const stranger = await fixture.device('d2', { clientId: 'phone' });
    assert.equal(first.connected, true);
    const closed = eventOf(first, 'close');
    const second = await mqtt.connectAsync(fixture.broker.address, options);
    await closed;
    assert.equal(second.connected && stranger.connected, true);
    await Promise.all([first.endAsync(true), second.endAsync(true)]);
  });

  it('refuses a user that connects over and over, and no other', async () => {
    fixture = await createFixture();
    const options = await fixture.deviceOptions('d1', { clientId: 'same' });
    for (let number = 0; number < 60; number += 1) {
      const client = await mqtt.connectAsync(fixture.broker.address, options);
      await client.endAsync(true);
    }
    assert.match(await refusal(fixture.broker.address, options), /Server unavailable/);
    assert.equal(await fixture.sample('returnit_mqtt_authentications_total{outcome="flapping"}'), 1);
    assert.equal((await fixture.device('d2')).connected, true);
  });

  it('ends a connection that sends an oversized or malformed packet, and no other', async () => {
    fixture = await createFixture({ mqttPacketMaxBytes: 1024 });
    const bystander = await fixture.device('d2');
    const device = await fixture.device('d1');
    const closed = eventOf(device, 'close');
    device.publish('drivers/d1/location', Buffer.alloc(5000), { qos: 1 });
    await closed;
    assert.equal(await fixture.sample('returnit_mqtt_messages_dropped_total{reason="packet-too-large"}'), 1);
    // The length alone condemns it: no more is read.
    const claims = [
      Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]),
      Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff]),
      Buffer.alloc(64, 0xf0),
    ];
    for (const bytes of claims) {
      const socket = await fixture.rawSocket();
      socket.resume();
      const ended = once(socket, 'close');
      socket.write(bytes);
      await ended;
    }
    await bystander.publishAsync('drivers/d2/location', '1', { qos: 1 });
  });

  it('rejects a payload that is not UTF-8 without showing it to the plugin', async () => {
    fixture = await createFixture();
    const seen: string[] = [];
    await fixture.subscribe('drivers/+/location', async (messages) => {
      seen.push(...messages.map((message) => message.payload));
      return acceptAll(messages);
    });
    const device = await fixture.device('d1');
    await device.publishAsync('drivers/d1/location', Buffer.from([0xc3, 0x28]), { qos: 1 });
    await device.publishAsync('drivers/d1/location', 'grüß', { qos: 1 });
    assert.deepEqual(seen, ['grüß']);
    const label = 'plugin="tracking",messaging_destination_template="drivers/+/location",qos="1",reason="encoding"';
    assert.equal(await fixture.sample(`returnit_mqtt_messages_rejected_total{${label}}`), 1);
  });

  it('keeps a flood in the socket, answers the pings of others and delivers it all in the end', async () => {
    fixture = await createFixture({ mqttInflightMax: 200, mqttBatchSizeMax: 50 });
    const commit = gate();
    let handled = 0;
    await fixture.subscribe('drivers/+/location', async (messages) => {
      await commit.opened;
      handled += messages.length;
      return acceptAll(messages);
    });
    const device = await fixture.device('d1');
    const bystander = await fixture.device('d2');
    const publishing = Array.from({ length: 3000 }, (_, number) =>
      device.publishAsync('drivers/d1/location', String(number), { qos: 1 }),
    );
    // Half of the room is one subscription's share.
    await until('the share is full', async () => (await fixture.sample('returnit_mqtt_inflight_messages')) >= 100);
    const pong = answered(bystander, 'pingresp');
    bystander.sendPing();
    await pong;
    assert.ok((await fixture.sample('returnit_mqtt_inflight_messages')) <= 200);
    commit.open();
    await Promise.all(publishing);
    assert.equal(handled, 3000);
  });

  it('drops and counts quality of service 0 when there is no room', async () => {
    fixture = await createFixture({ mqttInflightMax: 20 });
    const commit = gate();
    await fixture.subscribe('drivers/+/location', async (messages) => {
      await commit.opened;
      return acceptAll(messages);
    });
    const device = await fixture.device('d1');
    for (let number = 0; number < 100; number += 1) await device.publishAsync('drivers/d1/location', String(number));
    const line = 'returnit_mqtt_messages_dropped_total{reason="no-room"}';
    await until('what has no room is dropped', async () => (await fixture.sample(line)) >= 80);
    commit.open();
  });

  it('forgets the unacknowledged messages of a device that is gone', async () => {
    fixture = await createFixture();
    const batcher = await fixture.subscribe('drivers/+/location', () => new Promise(() => undefined));
    batcher.detach(() => Promise.resolve());
    const device = await fixture.device('d1');
    for (let number = 0; number < 10; number += 1) device.publish('drivers/d1/location', String(number), { qos: 1 });
    await until('ten are in flight', async () => (await fixture.sample('returnit_mqtt_inflight_messages')) === 10);
    await device.endAsync(true);
    await until('none is in flight', async () => (await fixture.sample('returnit_mqtt_inflight_messages')) === 0);
    assert.equal(batcher.size, 0);
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

  it('names the setting when the port is in use', async () => {
    fixture = await createFixture();
    const port = Number(new URL(fixture.broker.address).port);
    const { telemetry, credentials } = fixture;
    const second = createEmbeddedBroker({ config: { ...fixture.config, mqttPort: port }, telemetry, credentials });
    await assert.rejects(second.start(), { code: 'PORT_IN_USE', message: /set MQTT_PORT/ });
    await second.stop();
  });
});
