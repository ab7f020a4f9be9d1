import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { createAccountSync, type AccountSync } from '#core/mqtt/account-sync.ts';
import { createCredentials, type Credentials } from '#core/mqtt/credentials.ts';
import { createDeviceSecrets } from '#core/mqtt/device-secrets.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { createMemoryStore, eventOf, until } from './fixture.ts';
import { createShippedMosquitto, skipWithoutShippedMosquitto, type ShippedMosquitto } from './mosquitto.ts';

describe('devices at the shipped Mosquitto', { skip: skipWithoutShippedMosquitto }, () => {
  let broker: ShippedMosquitto;
  let store: ReturnType<typeof createMemoryStore>;
  let node: { readonly sync: AccountSync; readonly credentials: Credentials };
  const syncs: AccountSync[] = [];
  const clients: MqttClient[] = [];

  beforeEach(async () => {
    broker = await createShippedMosquitto();
    await broker.start();
    store = createMemoryStore();
    node = startNode('n1');
    await until('the broker takes commands', () =>
      node.sync.apply('nobody').then(
        () => true,
        () => false,
      ),
    );
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.endAsync(true);
    await Promise.all(syncs.splice(0).map((sync) => sync.stop()));
    await broker.stop();
  });

  function startNode(nodeId: string): { readonly sync: AccountSync; readonly credentials: Credentials } {
    const secrets = createDeviceSecrets('a key that all nodes derive');
    const sync = createAccountSync({
      url: new URL(broker.nodeUrl),
      nodeId,
      store,
      secrets,
      telemetry: recordTelemetry(),
      retryDelayMs: 50,
    });
    const credentials = createCredentials({ store, secrets, onStored: (username) => sync.apply(username) });
    sync.start(credentials);
    syncs.push(sync);
    return { sync, credentials };
  }

  async function connect(url: string, options: IClientOptions): Promise<MqttClient> {
    const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  }

  const issue = (id: string, credentials = node.credentials): Promise<IClientOptions> =>
    credentials.issue('drivers', {
      username: `${id}.phone`,
      publish: [`drivers/${id}/#`],
      subscribe: [`drivers/${id}/#`],
    });

  const device = async (options: IClientOptions): Promise<MqttClient> => connect(broker.deviceUrl, options);

  async function watch(): Promise<{ readonly topics: string[]; readonly client: MqttClient }> {
    const url = new URL(broker.nodeUrl);
    const client = await connect(url.href, { protocolVersion: 5 });
    const topics: string[] = [];
    client.on('message', (topic) => topics.push(topic));
    await client.subscribeAsync('#', { qos: 1 });
    return { topics, client };
  }

  it('are admitted at once, and publish under their own driver alone', async () => {
    const watcher = await watch();
    const options = await issue('d1');
    const wildcards = ['drivers/d1/+', 'drivers/d1/#', '#'];
    const foreign = ['drivers/d2/location', '$SYS/broker/version', '$CONTROL/dynamic-security/v1', 'other'];
    for (const topic of [...wildcards, ...foreign]) {
      const phone = await device(options);
      // The broker acknowledges what it drops, or ends the connection: MQTT 3.1.1 allows both [MQTT-3.3.5-2].
      await Promise.race([
        phone.publishAsync(topic, 'x', { qos: 1, retain: true }).catch(() => undefined),
        eventOf(phone, 'close'),
      ]);
      await phone.endAsync(true);
    }
    const phone = await device(options);
    await phone.publishAsync('drivers/d1/location', 'x', { qos: 1 });
    await until('its own arrives', () => watcher.topics.length > 0);
    assert.deepEqual(watcher.topics, ['drivers/d1/location']);
  });

  it('cannot send a will, or clear what is retained, for another driver', async () => {
    const one = await device(await issue('d1'));
    await one.publishAsync('drivers/d1/location', 'kept', { qos: 1, retain: true });
    const two = await issue('d2');
    const clearing = await device(two);
    await Promise.race([
      clearing.publishAsync('drivers/d1/location', '', { qos: 1, retain: true }).catch(() => undefined),
      eventOf(clearing, 'close'),
    ]);
    const will = { topic: 'drivers/d1/lwt', payload: Buffer.from('x'), qos: 1 as const, retain: false };
    const dying = await device({ ...two, will });
    const watcher = await watch();
    await until('what is retained is still there', () => watcher.topics.includes('drivers/d1/location'));
    const gone = eventOf(dying, 'close');
    dying.stream.destroy();
    await gone;
    const own = await device({ ...two, will: { ...will, topic: 'drivers/d2/lwt' } });
    own.stream.destroy();
    await until('its own will arrives', () => watcher.topics.includes('drivers/d2/lwt'));
    assert.ok(!watcher.topics.includes('drivers/d1/lwt'));
  });

  it('cannot subscribe beyond their own', async () => {
    const phone = await device(await issue('d1'));
    for (const filter of [
      '#',
      '+/d1/location',
      'drivers/+/location',
      'drivers/d2/location',
      '$SYS/#',
      '$share/g/drivers/d1/#',
    ]) {
      await assert.rejects(phone.subscribeAsync(filter, { qos: 1 }), filter);
    }
    await phone.subscribeAsync('drivers/d1/#', { qos: 1 });
  });

  it('are refused without a name, with a wrong secret, and after they were revoked', async () => {
    const options = await issue('d1');
    const phone = await device(options);
    await assert.rejects(device({}));
    const { host } = new URL(broker.nodeUrl);
    await assert.rejects(connect(`ws://${host}`, {}));
    await assert.rejects(connect(`ws://returnit:wrong@${host}`, {}));
    await assert.rejects(device({ ...options, password: 'wrong' }));
    const gone = eventOf(phone, 'close');
    await node.credentials.revoke('drivers', 'd1.phone');
    await gone;
    await assert.rejects(device(options));
  });

  it('lose their connection with a packet above the limit, and nobody else does', async () => {
    const watcher = await watch();
    const large = await device(await issue('d1'));
    const small = await device(await issue('d2'));
    const gone = new Promise<void>((resolve) => large.once('close', () => resolve()));
    large.publish('drivers/d1/location', Buffer.alloc(70_000, 'x'), { qos: 1 });
    await gone;
    await small.publishAsync('drivers/d2/location', 'x', { qos: 1 });
    await until('the other goes on', () => watcher.topics.length > 0);
    assert.deepEqual(watcher.topics, ['drivers/d2/location']);
  });

  it('lose their connection and their earlier secret when they are issued anew', async () => {
    const first = await issue('d1');
    const gone = eventOf(await device(first), 'close');
    const second = await issue('d1');
    await gone;
    await assert.rejects(device(first));
    await device(second);
  });

  it('take over their own connection alone, whatever client id they show', async () => {
    const one = await device({ ...(await issue('d1')), clientId: 'same' });
    const two = await device({ ...(await issue('d2')), clientId: 'same' });
    await two.publishAsync('drivers/d2/location', 'x', { qos: 1 });
    assert.equal(one.connected, true);
    const taken = eventOf(one, 'close');
    await device({ ...secretAgain('d1'), clientId: 'other' });
    await taken;
  });

  /** The same secret again: it is derived. */
  function secretAgain(id: string): IClientOptions {
    const record = store.records.get(`${id}.phone`);
    assert.ok(record !== undefined);
    const password = createDeviceSecrets('a key that all nodes derive').restore(record);
    assert.ok(password !== undefined);
    return { username: `${id}.phone`, password };
  }

  it('are known again to a broker that has forgotten them, and gone from one that was away when they were revoked', async () => {
    const kept = await issue('d1');
    const revoked = await issue('d2');
    await broker.end('SIGTERM');
    await assert.rejects(node.credentials.revoke('drivers', 'd2.phone'), { code: 'BROKER_UNREACHABLE' });
    await broker.start();
    const isAdmitted = (options: IClientOptions): Promise<boolean> =>
      device(options).then(
        () => true,
        () => false,
      );
    await until('the revoked one is refused', async () => !(await isAdmitted(revoked)));
    assert.equal(await isAdmitted(kept), true);
    await broker.end('SIGTERM');
    broker.forgetAccounts();
    await broker.start();
    await until('it is known again', () => isAdmitted(kept));
  });

  it('are the same whichever node issues them', async () => {
    const other = startNode('n2');
    await until('the other gives commands', () =>
      other.sync.apply('nobody').then(
        () => true,
        () => false,
      ),
    );
    const [first, second] = await Promise.all([issue('d1'), issue('d2', other.credentials)]);
    node.credentials.changed('d2.phone');
    other.credentials.changed('d1.phone');
    await device(first);
    await device(second);
    await other.credentials.revoke('drivers', 'd1.phone');
    await assert.rejects(device(first));
  });
});
