import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { loadConfig } from '#core/config/config.ts';
import { createExpiringMessages } from '#core/mqtt/expiring-messages.ts';
import { createExternalClient } from '#core/mqtt/external-client.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { createFixture, until, type Fixture } from './fixture.ts';
import { createMosquitto, skipWithoutMosquitto } from './mosquitto.ts';

const topic = 'drivers/d1/offers';
const toMessage = (text: string, expiresAtMs: number, at = topic) => ({
  topic: at,
  payload: Buffer.from(text),
  expiresAtMs,
});

describe('createExpiringMessages()', () => {
  it('hands out what has not expired, in the order it was published', () => {
    let nowMs = 0;
    const kept = createExpiringMessages({ now: () => nowMs });
    for (const [text, expiresAtMs] of [
      ['a', 10],
      ['b', 30],
      ['c', 20],
    ] as const)
      kept.keep(toMessage(text, expiresAtMs));
    const texts = (filter: string): string[] => kept.matching(filter).map(({ payload }) => String(payload));
    assert.deepEqual(texts(topic), ['a', 'b', 'c']);
    nowMs = 10;
    assert.deepEqual(texts(topic), ['b', 'c']);
    assert.deepEqual(texts('drivers/+/offers'), ['b', 'c']);
    assert.deepEqual(texts('drivers/d2/offers'), []);
    nowMs = 30;
    assert.deepEqual(texts('#'), []);
  });

  it('keeps no more than its bounds, the newest, whatever is published', () => {
    const publishes = fc.array(fc.record({ name: fc.nat(6), ttl: fc.nat(20), pause: fc.nat(5) }), { maxLength: 120 });
    fc.assert(
      fc.property(publishes, (all) => {
        let nowMs = 0;
        const kept = createExpiringMessages({ now: () => nowMs, messagesMax: 10, perTopicMax: 4 });
        const sent: { text: string; name: string; expiresAtMs: number }[] = [];
        for (const [index, { name, ttl, pause }] of all.entries()) {
          nowMs += pause;
          const message = { text: String(index), name: `t/${name}`, expiresAtMs: nowMs + ttl };
          sent.push(message);
          kept.keep(toMessage(message.text, message.expiresAtMs, message.name));
          assert.ok(kept.size <= 10);
          const shown = kept.matching('t/+').map((each) => String(each.payload));
          const fresh = sent.filter(({ expiresAtMs }) => expiresAtMs > nowMs).map(({ text }) => text);
          assert.ok(shown.every((text) => fresh.includes(text)));
          if (ttl > 0) assert.equal(String(kept.matching(message.name).at(-1)?.payload), message.text);
        }
      }),
    );
  });
});

describe('a message that expires, at the embedded broker', () => {
  let fixture: Fixture;
  afterEach(() => fixture.stop());

  async function comeBack(options: IClientOptions, filter = topic): Promise<{ client: MqttClient; seen: string[] }> {
    const seen: string[] = [];
    const client = await mqtt.connectAsync(fixture.broker.address, options);
    client.on('message', (_topic, payload) => void seen.push(String(payload)));
    await client.subscribeAsync(filter, { qos: 1 });
    return { client, seen };
  }

  it('reaches a device that is connected, and one that comes back in time, and none after that', async () => {
    let nowMs = 1_000_000;
    fixture = await createFixture({}, { now: () => nowMs });
    const options = await fixture.deviceOptions('d1');
    const first = await comeBack(options);
    await fixture.broker.publish(topic, 'live', { qos: 1, retain: false, expirySeconds: 30 });
    await until('the connected device has it', () => first.seen.includes('live'));
    await first.client.endAsync(true);
    nowMs += 10_000;
    await fixture.broker.publish(topic, 'meanwhile', { qos: 1, retain: false, expirySeconds: 60 });
    nowMs += 20_000;
    const second = await comeBack(options);
    await until('what has not expired is handed out', () => second.seen.length > 0);
    await second.client.endAsync(true);
    nowMs += 40_000;
    const third = await comeBack(options);
    await fixture.broker.publish(topic, 'later', { qos: 1, retain: false });
    await until('a later message has come', () => third.seen.includes('later'));
    assert.deepEqual([second.seen, third.seen], [['meanwhile'], ['later']]);
    await third.client.endAsync(true);
  });

  it('reaches nobody who may not subscribe, and waits for nobody at quality of service 0', async () => {
    fixture = await createFixture();
    await fixture.broker.publish(topic, 'of d1', { qos: 1, retain: false, expirySeconds: 30 });
    await fixture.broker.publish('drivers/d2/offers', 'unkept', { qos: 0, retain: false, expirySeconds: 30 });
    const { client, seen } = await comeBack(await fixture.deviceOptions('d2'), 'drivers/d2/#');
    await assert.rejects(client.subscribeAsync(topic, { qos: 1 }));
    await fixture.broker.publish('drivers/d2/offers', 'probe', { qos: 1, retain: false });
    await until('the probe has come', () => seen.includes('probe'));
    assert.deepEqual(seen, ['probe']);
    await client.endAsync(true);
  });
});

describe('a message that expires, at Mosquitto', { skip: skipWithoutMosquitto }, () => {
  it('has the Message Expiry Interval: a session gets it in time, and not after', async () => {
    const broker = await createMosquitto();
    await broker.start();
    const config = { ...loadConfig({}), mqttUrl: broker.url };
    const node = createExternalClient({ config, telemetry: recordTelemetry(), nodeId: 'n1', startTimeoutMs: 20_000 });
    await node.start();
    const session = { clientId: 'phone', clean: false, reconnectPeriod: 0 };
    const seen: { text: string; expiry: unknown }[] = [];
    const connect = async (): Promise<MqttClient> => {
      const client = mqtt.connect(broker.url, {
        ...session,
        protocolVersion: 5,
        properties: { sessionExpiryInterval: 600 },
      });
      client.on('message', (_topic, payload, { properties }) =>
        seen.push({ text: String(payload), expiry: properties?.messageExpiryInterval }),
      );
      await new Promise((resolve) => client.once('connect', resolve));
      return client;
    };
    try {
      const first = await connect();
      await first.subscribeAsync(topic, { qos: 1 });
      await first.endAsync();
      await node.publish(topic, 'short', { qos: 1, retain: false, expirySeconds: 1 });
      await node.publish(topic, 'long', { qos: 1, retain: false, expirySeconds: 600 });
      const expiredAt = Date.now() + 2500;
      await until('the short one has expired', () => Date.now() > expiredAt);
      const second = await connect();
      await until('the long one has come', () => seen.some(({ text }) => text === 'long'));
      assert.deepEqual(
        seen.map(({ text }) => text),
        ['long'],
      );
      assert.ok(Number(seen[0]?.expiry) > 0 && Number(seen[0]?.expiry) <= 600);
      await second.endAsync(true);
    } finally {
      await node.stop();
      await broker.stop();
    }
  });
});
