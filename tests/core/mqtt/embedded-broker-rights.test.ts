import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import { acceptAll, answered, createFixture, eventOf, refusal, until, type Fixture } from './fixture.ts';

let fixture: Fixture;
afterEach(() => fixture.stop());

describe('devices at the embedded broker', () => {
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

  it('drops the will of a connection whose device is back, and takes that of one that is gone', async () => {
    fixture = await createFixture();
    const seen: string[] = [];
    await fixture.subscribe('drivers/+/status', async (messages) => {
      seen.push(...messages.map(({ payload }) => payload));
      return acceptAll(messages);
    });
    const will = (payload: string) => ({ topic: 'drivers/d1/status', payload: Buffer.from(payload), qos: 1 as const });
    const options = await fixture.deviceOptions('d1', { clientId: 'phone' });
    const late = 'messaging_destination_template="__unmatched__",qos="1",reason="late-will"';
    const lateWills = (): Promise<number> =>
      fixture.sample(`returnit_mqtt_messages_rejected_total{plugin="core",${late}}`);
    const connect = (payload: string, clientId: string): Promise<MqttClient> =>
      mqtt.connectAsync(fixture.broker.address, { ...options, clientId, will: will(payload) });
    const first = await connect('taken over', 'phone');
    const second = await connect('left behind', 'phone');
    await until('the first will is dropped', async () => (await lateWills()) === 1);
    const third = await connect('gone', 'another');
    second.stream.destroy();
    await until('the second will is dropped', async () => (await lateWills()) === 2);
    third.stream.destroy();
    await until('the third will arrives', () => seen.length > 0);
    assert.deepEqual(seen, ['gone']);
    await Promise.all([first, second, third].map((client) => client.endAsync(true)));
  });

  it('ends a connection that publishes to a wildcard, and no other', async () => {
    fixture = await createFixture();
    const seen: string[] = [];
    await fixture.subscribe('drivers/#', async (messages) => {
      seen.push(...messages.map(({ payload }) => payload));
      return acceptAll(messages);
    });
    const bystander = await fixture.device('d2');
    for (const topic of ['drivers/d1/+', 'drivers/d1/#', '#']) {
      const device = await fixture.device('d1');
      const closed = eventOf(device, 'close');
      device.publish(topic, 'everywhere', { qos: 1 });
      await closed;
    }
    await bystander.publishAsync('drivers/d2/location', 'good', { qos: 1 });
    assert.deepEqual(seen, ['good']);
  });
});
