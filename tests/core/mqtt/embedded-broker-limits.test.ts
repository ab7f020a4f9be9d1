import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { createEmbeddedBroker } from '#core/mqtt/embedded-broker.ts';
import { acceptAll, answered, createFixture, eventOf, gate, until, type Fixture } from './fixture.ts';

let fixture: Fixture;
afterEach(() => fixture.stop());

describe('limits of the embedded broker', () => {
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
    // Of the room that is left, half of 200 for one subscription, a device takes a part and leaves the rest to others.
    const inFlight = (): Promise<number> => fixture.sample('returnit_mqtt_inflight_messages');
    await until('the device has its part', async () => (await inFlight()) === 6);
    publishing.push(bystander.publishAsync('drivers/d2/location', 'one', { qos: 1 }));
    await until('another is let in', async () => (await inFlight()) === 7);
    const pong = answered(bystander, 'pingresp');
    bystander.sendPing();
    await pong;
    assert.equal(await inFlight(), 7);
    commit.open();
    await Promise.all(publishing);
    assert.equal(handled, 3001);
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

  it('tells what its connections hold, and of how much may be in flight', async () => {
    fixture = await createFixture({ mqttInflightMax: 4 });
    const commit = gate();
    await fixture.subscribe('drivers/+/location', async (messages) => {
      await commit.opened;
      return acceptAll(messages);
    });
    const device = await fixture.device('d1');
    const publishing = Array.from({ length: 20 }, () =>
      device.publishAsync('drivers/d1/location', 'x'.repeat(1000), { qos: 1 }),
    );
    const held = (): Promise<number> => fixture.sample('returnit_mqtt_buffered_bytes{direction="received"}');
    await until('what has no room stays with its connection', async () => (await held()) > 1000);
    const { mqttInflightMax, mqttInflightMaxBytes } = fixture.config;
    assert.equal(await fixture.sample('returnit_mqtt_inflight_messages_max'), mqttInflightMax);
    assert.equal(await fixture.sample('returnit_mqtt_inflight_max_bytes'), mqttInflightMaxBytes);
    commit.open();
    await Promise.all(publishing);
    await until('nothing is left', async () => (await held()) === 0);
    assert.equal(await fixture.sample('returnit_mqtt_buffered_bytes{direction="unsent"}'), 0);
  });

  it('forgets the unacknowledged messages of a device that is gone', async () => {
    fixture = await createFixture();
    const batcher = await fixture.subscribe('drivers/+/location', () => new Promise(() => undefined));
    batcher.detach(() => Promise.resolve());
    const device = await fixture.device('d1');
    for (let number = 0; number < 10; number += 1) device.publish('drivers/d1/location', String(number), { qos: 1 });
    await until('ten are in flight', async () => (await fixture.sample('returnit_mqtt_inflight_messages')) === 10);
    assert.ok((await fixture.sample('returnit_mqtt_inflight_bytes')) >= 10 * 'drivers/d1/location0'.length);
    await device.endAsync(true);
    await until('none is in flight', async () => (await fixture.sample('returnit_mqtt_inflight_messages')) === 0);
    assert.equal(await fixture.sample('returnit_mqtt_inflight_bytes'), 0);
    assert.equal(batcher.size, 0);
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
