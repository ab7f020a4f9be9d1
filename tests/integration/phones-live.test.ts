/** One driver whose phone reports by HTTP and by MQTT: one history, one newest position, one live stream. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { book, connectDriver, near, orderReached, placeOf, type Device, type Place } from '../support/journey.ts';
import { watchBySocket, type LiveClient } from '../support/live-client.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';

const place = placeOf(7);

describe('a phone at both doors', () => {
  let platform: TestPlatform;
  let device: Device;
  let ops: Api;

  before(async () => {
    platform = await startPlatform();
    ops = await platform.as('ops', 'dispatcher');
    device = await connectDriver(platform, 'both');
  });
  after(async () => {
    await device?.close();
    await platform?.stop();
  });

  const startSeconds = Math.floor(Date.now() / 1000) - 120;
  const toReport = (step: number): string =>
    JSON.stringify({ _type: 'location', ...near(place, step), tst: startSeconds + step, tid: 'bo', acc: 6, vel: 18 });
  const byHttp = async (step: number): Promise<void> => {
    const authorization = `Basic ${Buffer.from(`${device.username}:${device.password}`).toString('base64')}`;
    const { api } = platform.app.addresses;
    const headers = { authorization, 'content-type': 'application/json' };
    const answer = await fetch(`${api}/tracking/owntracks`, { method: 'POST', headers, body: toReport(step) });
    assert.deepEqual([answer.status, await answer.text()], [200, '[]']);
  };
  const byMqtt = async (step: number): Promise<void> => {
    await device.client.publishAsync(`owntracks/${device.username}/Pixel 7`, toReport(step), { qos: 1, retain: true });
  };
  const arrival = (watcher: LiveClient, { lat, lon }: Place) =>
    watcher.next(({ data }) => data !== undefined && data.lat === lat && data.lon === lon);

  it('moves the newest position and the live stream forward, whichever door a fix came through', async () => {
    const customer = await platform.as('customer', 'c-both');
    const { orderId } = await book(customer, place);
    await orderReached(customer, orderId, 'scheduled');
    await byHttp(1);
    await orderReached(customer, orderId, 'assigned');
    const watcher = await watchBySocket({
      url: platform.app.addresses.api,
      token: await platform.token('ops', 'dispatcher'),
      channel: `orders/${orderId}/position`,
    });
    await arrival(watcher, near(place, 1));
    await byMqtt(30);
    await arrival(watcher, near(place, 30));
    await byHttp(10);
    await byMqtt(20);
    await byHttp(40);
    await arrival(watcher, near(place, 40));
    const times = watcher.values.flatMap(({ data }) => (data === undefined ? [] : [Date.parse(data.recordedAt)]));
    assert.deepEqual(
      times.map((time) => time / 1000 - startSeconds),
      [1, 30, 40],
    );
    watcher.close();
  });

  it('has one row for a fix that came through both', async () => {
    for (const send of [byHttp, byMqtt, byHttp]) await send(50);
    const { fixes } = await ops.ok<{ fixes: { device: string; lat: number; speedMps: number }[] }>(
      'GET',
      '/tracking/drivers/both/history',
    );
    const { lat } = near(place, 50);
    assert.deepEqual(
      fixes.filter((fix) => fix.lat === lat).map((fix) => [fix.device, fix.speedMps]),
      [['phone', 5]],
    );
    assert.equal(fixes.length, 6);
  });

  it('may tell what the app tells beside its positions, without being taken for an intruder', async () => {
    const denied = { action: 'publish' };
    const before = await platform.sample('returnit_mqtt_authorizations_denied_total', denied);
    for (const [topic, type] of [
      ['owntracks/both.phone/Pixel 7/event', 'transition'],
      ['owntracks/both.phone/Pixel 7/status', 'status'],
      ['owntracks/both/phone/waypoint', 'waypoint'],
      ['owntracks/both.phone/Pixel 7', 'lwt'],
    ] as const) {
      await device.client.publishAsync(topic, JSON.stringify({ _type: type }), { qos: 1 });
    }
    assert.equal(await platform.sample('returnit_mqtt_authorizations_denied_total', denied), before);
    await device.client.publishAsync('owntracks/other.phone/Pixel 7', toReport(60), { qos: 1 });
    assert.equal(await platform.sample('returnit_mqtt_authorizations_denied_total', denied), before + 1);
  });
});
