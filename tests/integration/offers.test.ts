/** Offers on their way to phones and back, with either broker. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import { createShippedMosquitto, skipWithoutShippedMosquitto, type ShippedMosquitto } from '../core/mqtt/mosquitto.ts';
import type { Api } from '../support/api-client.ts';
import { book, connectDevice, orderReached, placeOf, near, type Device, type Place } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

interface OfferMessage {
  readonly type: 'offer' | 'closed';
  readonly offerId: string;
  readonly orderId: string;
  readonly expiresAt?: string;
}

interface AskedDriver {
  readonly api: Api;
  readonly device: Device;
  readonly heard: OfferMessage[];
}

const offerSeconds = 3;

for (const broker of ['the embedded broker', 'Mosquitto'] as const) {
  const isExternal = broker === 'Mosquitto';
  describe(`offers by ${broker}`, { skip: isExternal ? skipWithoutShippedMosquitto : false }, () => {
    let mosquitto: ShippedMosquitto | undefined;
    let platform: TestPlatform;
    let ops: Api;
    const asked: AskedDriver[] = [];

    before(async () => {
      // Asked again and again until it is heard: how long a push takes is the machine's to say.
      process.env['DRIVERS_REOFFER_SECONDS'] = '0';
      process.env['DRIVERS_OFFERS_AT_ONCE'] = '2';
      process.env['DRIVERS_OFFER_SECONDS'] = isExternal ? String(offerSeconds) : '600';
      mosquitto = isExternal ? await createShippedMosquitto() : undefined;
      await mosquitto?.start();
      platform = await startPlatform({
        config: mosquitto === undefined ? {} : { mqttUrl: mosquitto.nodeUrl, mqttAccounts: 'dynamic-security' },
      });
      ops = await platform.as('ops', 'dispatcher');
    });
    after(async () => {
      delete process.env['DRIVERS_REOFFER_SECONDS'];
      delete process.env['DRIVERS_OFFERS_AT_ONCE'];
      delete process.env['DRIVERS_OFFER_SECONDS'];
      for (const { device } of asked) await device.close();
      await platform?.stop();
      await mosquitto?.stop();
    });

    const listen = async (client: MqttClient, driverId: string): Promise<OfferMessage[]> => {
      const heard: OfferMessage[] = [];
      client.on('message', (_topic, payload) => heard.push(JSON.parse(String(payload)) as OfferMessage));
      const [granted] = await client.subscribeAsync(`drivers/${driverId}/offers`, { qos: 1 });
      assert.equal(granted?.qos, 1);
      return heard;
    };

    /** On shift, connected, subscribed, and where the order will be. */
    async function addDriver(driverId: string, place: Place): Promise<AskedDriver> {
      await ops.ok('POST', '/drivers', { driverId, name: driverId, vehicle: 'van' });
      const credentials = await ops.ok<{ username: string; password: string; offersTopic: string }>(
        'POST',
        `/drivers/${driverId}/devices`,
        { deviceId: 'phone' },
      );
      assert.equal(credentials.offersTopic, `drivers/${driverId}/offers`);
      const device = await connectDevice(mosquitto?.deviceUrl ?? platform.app.addresses.mqtt, {
        driverId,
        ...credentials,
      });
      const api = await platform.as('driver', driverId);
      await api.ok('POST', `/drivers/${driverId}/shift`, { onShift: true });
      const heard = await listen(device.client, driverId);
      await device.publish(place);
      const own = { api, device, heard };
      asked.push(own);
      return own;
    }

    const heardOf = ({ heard }: AskedDriver, orderId: string, type: string): Promise<OfferMessage> =>
      until(`a message ${type} of order ${orderId}`, () =>
        heard.find((message) => message.orderId === orderId && message.type === type),
      );

    if (!isExternal) {
      it('reach the phones of those who are asked, one of whom gets the order; the others are told', async () => {
        const place = placeOf(1);
        const [first, second] = [await addDriver('e1', near(place, 2)), await addDriver('e2', near(place, 3))];
        const customer = await platform.as('customer', 'c1');
        const { orderId } = await book(customer, place);
        const offers = [await heardOf(first, orderId, 'offer'), await heardOf(second, orderId, 'offer')];
        const paths = ['e1', 'e2'].map((id, index) => `/drivers/${id}/offers/${offers[index]?.offerId}/accept`);
        const replies = await Promise.all(
          [first, second].map(({ api }, index) => api.request<{ code?: string }>('POST', paths[index] ?? '')),
        );
        assert.deepEqual(replies.map(({ status, body }) => body.code ?? String(status)).toSorted(), [
          '200',
          'OFFER_TAKEN',
        ]);
        const winner = replies[0]?.status === 200 ? 'e1' : 'e2';
        assert.equal((await orderReached(customer, orderId, 'assigned')).driverId, winner);
        await heardOf(winner === 'e1' ? second : first, orderId, 'closed');
        assert.equal(await platform.sample('returnit_offers_total', { outcome: 'accepted' }), 1);
        const story = await ops.ok<{ history: { step: string; driverId: string }[] }>(
          'GET',
          `/drivers/assignments/${orderId}`,
        );
        assert.deepEqual(
          story.history.map(({ step, driverId }) => [step, driverId]),
          [['assigned', winner]],
        );
        // A phone cannot listen to what others are asked.
        const other = winner === 'e1' ? 'e2' : 'e1';
        const mine = winner === 'e1' ? first : second;
        await assert.rejects(mine.device.client.subscribeAsync(`drivers/${other}/offers`, { qos: 1 }));
      });

      it('end with the suspension of their driver, whose phone is disconnected at once', async () => {
        const place = placeOf(2);
        const own = await addDriver('e3', near(place, 2));
        const { orderId } = await book(await platform.as('customer', 'c2'), place);
        const { offerId } = await heardOf(own, orderId, 'offer');
        const closed = new Promise<void>((resolve) => own.device.client.once('close', () => resolve()));
        await ops.ok('POST', '/drivers/e3/suspend', { reason: 'complaint' });
        await closed;
        const late = await own.api.request<{ code: string }>('POST', `/drivers/e3/offers/${offerId}/accept`);
        assert.deepEqual([late.status, late.body.code], [409, 'DRIVER_NOT_AVAILABLE']);
        const { username, password } = own.device;
        await assert.rejects(
          mqtt.connectAsync(platform.app.addresses.mqtt, { username, password, reconnectPeriod: 0 }),
        );
        await ops.ok('POST', '/drivers/e3/approve');
        const issued = await ops.ok<{ password: string }>('POST', '/drivers/e3/devices', { deviceId: 'phone' });
        const rotated = await own.api.ok<{ password: string }>('POST', '/drivers/e3/devices/phone/rotate');
        assert.notEqual(rotated.password, issued.password);
      });
      return;
    }

    it('wait for a phone that is away, and never reach it when they are over', async () => {
      const place = placeOf(3);
      const { device, api } = await addDriver('m1', near(place, 2));
      // The session outlives the connection, as an app's does.
      await device.client.endAsync();
      const session = { username: device.username, password: device.password, clientId: device.username };
      const open = (): Promise<MqttClient> =>
        mqtt.connectAsync(mosquitto?.deviceUrl ?? '', { ...session, clean: false, reconnectPeriod: 0 });
      const before = await open();
      await listen(before, 'm1');
      await before.endAsync();
      const { orderId } = await book(await platform.as('customer', 'c3'), place);
      const list = async (): Promise<readonly { offerId: string; state: string; expiresAt: string }[]> =>
        (await ops.ok<{ offers: [] }>('GET', `/drivers/offers?orderId=${orderId}`)).offers;
      await until('an offer has timed out', async () => (await list()).some(({ state }) => state === 'timed_out'));
      await ops.ok('POST', `/drivers/assignments/${orderId}/hold`, { reason: 'test' });
      const over = await list();
      const endMs = Math.max(...over.map(({ expiresAt }) => Date.parse(expiresAt))) + 1000;
      await until('all of them are over', () => Date.now() > endMs);
      const back = await open();
      const heard = await listen(back, 'm1');
      // A later message comes after whatever the broker still had.
      const { orderId: next } = await book(await platform.as('customer', 'c3'), near(place, 1));
      const offer = await until('the next order is offered', () =>
        heard.find(({ orderId: id, type }) => id === next && type === 'offer'),
      );
      assert.ok(heard.every(({ orderId: id, type }) => id !== orderId || type === 'closed'));
      assert.ok(Date.parse(offer.expiresAt ?? '') > 0);
      assert.equal((await api.request('GET', '/drivers/m1/offers')).status, 200);
      await back.endAsync(true);
    });
  });
}
