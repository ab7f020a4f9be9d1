import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { DeviceCredentials, MqttMessage } from '#plugin-api';
import { compileArguments } from '#core/plugin-host/call-arguments.ts';
import { createMqttCapability } from '#core/plugin-host/capabilities/mqtt.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Capability } from '#core/plugin-host/capability.ts';
import { acceptAll, createFixture, eventOf, until, type Fixture } from '../../mqtt/fixture.ts';
import { callCapability, createFakeInstance } from '../../../support/fake-instance.ts';

let fixture: Fixture;
let capability: Capability;

beforeEach(async () => {
  fixture = await createFixture();
  const { broker: transport, credentials, telemetry, config } = fixture;
  capability = createMqttCapability({ transport, credentials, telemetry, config });
});
afterEach(async () => {
  await capability.stop?.();
  await fixture.stop();
});

function call(instance: PluginInstance, method: string, args: unknown): Promise<unknown> {
  return callCapability(capability, instance, { method, args });
}

function subscription(handler: number, filter = 'drivers/+/location'): object {
  return { filter, batchSizeMax: 500, batchWaitMs: 2, handler };
}

function accessOf(method: string, args: object): readonly unknown[] {
  return capability.methods[method]?.access(args as never, { name: 'tracking', version: '1.0.0' }) ?? [];
}

function check(method: string, args: unknown): void {
  const found = capability.methods[method];
  assert.ok(found);
  compileArguments(`mqtt.${method}`, found.args)(args);
}

describe('createMqttCapability()', () => {
  it('states in its access what each call asks for', () => {
    assert.deepEqual(accessOf('subscribe', { filter: 'a/+' }), [{ permission: 'mqtt', resource: 'subscribe a/+' }]);
    assert.deepEqual(accessOf('publish', { topic: 'a/b' }), [{ permission: 'mqtt', resource: 'publish a/b' }]);
    assert.deepEqual(accessOf('issueCredentials', { publish: ['a/1'], subscribe: ['b/1'] }), [
      { permission: 'mqtt', resource: 'issue a/1' },
      { permission: 'mqtt', resource: 'issue b/1' },
    ]);
  });

  it('refuses arguments that make no sense', async () => {
    const instance = createFakeInstance('tracking');
    assert.throws(() => check('issueCredentials', { username: 'd1', publish: [], subscribe: [] }), {
      code: 'INVALID_CALL',
    });
    for (const username of ['', 'a/b', 'a+', ' ', 'x'.repeat(129), 'a\u0000']) {
      assert.throws(
        () => check('issueCredentials', { username, publish: ['a'], subscribe: [] }),
        { code: 'INVALID_CALL' },
        username,
      );
    }
    assert.throws(() => check('publish', { topic: 'a', payload: 'b', qos: 2, retain: false }), {
      code: 'INVALID_CALL',
    });
    for (const filter of ['a#', '$SYS/#', '$share/g/a', 'a/#/b', 'returnit/live/#', '+/live/a', '#']) {
      await assert.rejects(call(instance, 'subscribe', subscription(0, filter)), { code: 'INVALID_CALL' }, filter);
      const device = { username: 'd1', publish: [filter], subscribe: [] };
      await assert.rejects(async () => call(instance, 'issueCredentials', device), { code: 'INVALID_CALL' }, filter);
    }
    for (const topic of ['a/+', '#', '$SYS/x', '', 'returnit/live/orders/1/position']) {
      await assert.rejects(
        call(instance, 'publish', { topic, payload: '', qos: 1, retain: false }),
        { code: 'INVALID_CALL' },
        topic,
      );
    }
    for (const expirySeconds of [0, 1.5, 86_401]) {
      const expiring = { topic: 'a', payload: 'b', qos: 1, retain: false, expirySeconds };
      assert.throws(() => check('publish', expiring), { code: 'INVALID_CALL' }, String(expirySeconds));
    }
    const retained = { topic: 'a', payload: 'b', qos: 1, retain: true, expirySeconds: 5 };
    await assert.rejects(call(instance, 'publish', retained), { code: 'INVALID_CALL', message: /is not retained/ });
    const large = { topic: 'a', payload: 'x'.repeat(fixture.config.mqttPacketMaxBytes + 1), qos: 1, retain: false };
    await assert.rejects(call(instance, 'publish', large), { code: 'INVALID_CALL', message: /at most 65536/ });
  });

  it('hands messages to the plugin and acknowledges by verdict', async () => {
    const instance = createFakeInstance('tracking');
    const seen: MqttMessage[] = [];
    const handler = instance.add(({ messages }: { messages: readonly MqttMessage[] }) => {
      seen.push(...messages);
      return { verdicts: messages.map(({ payload }) => (payload === 'bad' ? { rejected: 'malformed' } : 'accepted')) };
    });
    await call(instance, 'subscribe', subscription(handler));
    const device = await fixture.device('d1');
    for (const payload of ['good', 'bad']) await device.publishAsync('drivers/d1/location', payload, { qos: 1 });
    assert.deepEqual(
      seen.map(({ topic, payload, username, retained, duplicate }) => ({
        topic,
        payload,
        username,
        retained,
        duplicate,
      })),
      ['good', 'bad'].map((payload) => ({
        topic: 'drivers/d1/location',
        payload,
        username: 'd1',
        retained: false,
        duplicate: false,
      })),
    );
    assert.ok(Math.abs(Date.parse(seen[0]?.receivedAt ?? '') - Date.now()) < 60_000);
    const labels = 'plugin="tracking",messaging_destination_template="drivers/+/location",qos="1"';
    assert.equal(await fixture.sample(`returnit_mqtt_messages_received_total{${labels}}`), 2);
    assert.equal(await fixture.sample(`returnit_mqtt_messages_rejected_total{${labels},reason="malformed"}`), 1);
    // Of what the core itself may refuse, the first is to be seen as an increase.
    for (const reason of ['too-large', 'encoding'])
      assert.equal(await fixture.sample(`returnit_mqtt_messages_rejected_total{${labels},reason="${reason}"}`), 0);
  });

  it('keeps messages of a plugin that died for its next process', async () => {
    const first = createFakeInstance('tracking');
    const taken = Promise.withResolvers<void>();
    const stuck = first.add(() => {
      taken.resolve();
      return new Promise(() => undefined);
    });
    await call(first, 'subscribe', subscription(stuck));
    const device = await fixture.device('d1');
    let acknowledged = 0;
    const send = async (number: number): Promise<void> => {
      await device.publishAsync('drivers/d1/location', String(number), { qos: 1 });
      acknowledged += 1;
    };
    const sending = [send(0)];
    await taken.promise;
    first.die();
    sending.push(send(1), send(2));
    await until('all wait', async () => (await fixture.sample('returnit_mqtt_inflight_messages')) === 3);
    assert.equal(acknowledged, 0);
    const second = createFakeInstance('tracking');
    const seen: string[] = [];
    const handler = second.add(({ messages }: { messages: readonly MqttMessage[] }) => {
      seen.push(...messages.map((message) => message.payload));
      return { verdicts: acceptAll(messages) };
    });
    await call(second, 'subscribe', subscription(handler));
    await Promise.all(sending);
    assert.deepEqual(seen.toSorted(), ['0', '1', '2']);
  });

  it('keeps the credentials of a plugin from every other', async () => {
    const drivers = createFakeInstance('drivers');
    const hostile = createFakeInstance('hostile');
    const device = { username: 'd1', publish: ['drivers/d1/location'], subscribe: [] };
    const issued = (await call(drivers, 'issueCredentials', device)) as DeviceCredentials;
    assert.equal(Buffer.from(issued.password, 'base64url').length, 32);
    await assert.rejects(call(hostile, 'issueCredentials', device), { code: 'FORBIDDEN' });
    await assert.rejects(call(hostile, 'revokeCredentials', { username: 'd1' }), { code: 'FORBIDDEN' });
    const { default: mqtt } = await import('mqtt');
    const client = await mqtt.connectAsync(fixture.broker.address, { ...issued, reconnectPeriod: 0 });
    const closed = eventOf(client, 'close');
    await call(drivers, 'revokeCredentials', { username: 'd1' });
    await closed;
    await call(drivers, 'revokeCredentials', { username: 'unknown' });
  });

  it('publishes to devices and to plugins', async () => {
    const instance = createFakeInstance('tracking');
    const arrived = Promise.withResolvers<MqttMessage | undefined>();
    const handler = instance.add(({ messages }: { messages: readonly MqttMessage[] }) => {
      arrived.resolve(messages[0]);
      return { verdicts: acceptAll(messages) };
    });
    await call(instance, 'subscribe', subscription(handler, 'fleet/#'));
    await call(instance, 'publish', { topic: 'fleet/notice', payload: 'hello', qos: 1, retain: false });
    const message = await arrived.promise;
    assert.deepEqual([message?.topic, message?.payload, message?.username], ['fleet/notice', 'hello', null]);
    assert.equal(await fixture.sample('returnit_mqtt_messages_published_total{plugin="tracking",outcome="ok"}'), 1);
  });
});
