import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import type { Api } from '../support/api-client.ts';
import { connectDriver, near, placeOf, type Device } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

describe('bad devices', () => {
  let platform: TestPlatform;
  let device: Device;
  let ops: Api;
  const place = placeOf(3);

  before(async () => {
    platform = await startPlatform();
    ops = await platform.as('ops', 'o');
    device = await connectDriver(platform, 'good');
    await connectDriver(platform, 'victim').then((victim) => victim.close());
  });
  after(async () => {
    await device?.close();
    await platform?.stop();
  });

  const fixesOf = async (driverId: string): Promise<unknown[]> =>
    (await ops.ok<{ fixes: unknown[] }>('GET', `/tracking/drivers/${driverId}/history`)).fixes;
  const connect = (username: string | undefined, password: string | undefined): Promise<MqttClient> =>
    mqtt.connectAsync(platform.app.addresses.mqtt, {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      reconnectPeriod: 0,
    });

  it('are not admitted without their own password', async () => {
    for (const [username, password] of [
      [undefined, undefined],
      ['good.phone', 'wrong'],
      ['good.phone', ''],
      ['nobody', device.password],
      ['victim.phone', device.password],
      ["' or 1=1 --", 'x'],
    ]) {
      await assert.rejects(connect(username, password), `${username}`);
    }
  });

  it('cannot publish for another driver, nor read anything', async () => {
    const payload = JSON.stringify({ ...place, recordedAt: new Date().toISOString() });
    for (const topic of [
      'drivers/victim/location',
      'owntracks/victim/phone',
      'owntracks/good/other',
      '$SYS/x',
      'drivers/good/location/x',
    ]) {
      const client = await connect(device.username, device.password);
      client.on('error', () => undefined);
      const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
      // MQTT 3.1.1 has no negative acknowledgement: the broker ends the connection, or acknowledges and drops.
      await Promise.race([client.publishAsync(topic, payload, { qos: 1 }).catch(() => undefined), closed]);
      await client.endAsync(true);
    }
    for (const filter of ['#', 'drivers/#', 'drivers/victim/location']) {
      const client = await connect(device.username, device.password);
      client.on('error', () => undefined);
      const closed = new Promise((resolve) => client.once('close', () => resolve('closed')));
      const answer = await Promise.race([client.subscribeAsync(filter, { qos: 1 }).catch(() => 'refused'), closed]);
      if (Array.isArray(answer))
        assert.deepEqual(
          answer.map(({ qos }: { qos: number }) => qos),
          [128],
          filter,
        );
      await client.endAsync(true);
    }
    assert.deepEqual(await fixesOf('victim'), []);
    assert.ok((await platform.sample('returnit_mqtt_authorizations_denied_total')) >= 5);
  });

  it('have their bad messages counted by reason, and their good ones kept', async () => {
    const now = new Date().toISOString();
    const bad: readonly (readonly [string, string])[] = [
      ['{', 'malformed_json'],
      ['[]', 'schema'],
      [JSON.stringify({ ...place, lat: '1', recordedAt: now }), 'schema'],
      [JSON.stringify({ ...place, lat: 90.5, recordedAt: now }), 'range'],
      [JSON.stringify({ ...place, recordedAt: now }).replace(/"lon":[^,]+/, '"lon":1e999'), 'range'],
      [JSON.stringify({ lat: 0, lon: 0, recordedAt: now }), 'null_island'],
      [JSON.stringify({ ...place, recordedAt: 'yesterday' }), 'time_unreadable'],
      [JSON.stringify({ ...place, recordedAt: '2099-01-01T00:00:00Z' }), 'future'],
      [JSON.stringify({ ...place, recordedAt: '1999-01-01T00:00:00Z' }), 'too_old'],
    ];
    if (!device.client.connected) assert.fail('the good device is connected');
    const before = await fixesOf('good');
    await Promise.all(bad.map(([payload]) => device.client.publishAsync('drivers/good/location', payload, { qos: 1 })));
    assert.deepEqual(await fixesOf('good'), before);
    const counted = async (reason: string): Promise<number> =>
      platform.sample('returnit_tracking_rejected_total', { reason });
    for (const reason of new Set(bad.map(([, reason]) => reason))) {
      const expected = bad.filter(([, other]) => other === reason).length;
      await until(`${expected} rejected for ${reason}`, async () => (await counted(reason)) === expected);
    }
    await device.publish(near(place, 1));
    assert.equal((await fixesOf('good')).length, before.length + 1);
  });

  it('are cut off when their credentials are revoked', async () => {
    const closed = new Promise<void>((resolve) => device.client.once('close', () => resolve()));
    await ops.ok('DELETE', '/drivers/good/devices/phone');
    await closed;
    await assert.rejects(connect(device.username, device.password));
  });
});
