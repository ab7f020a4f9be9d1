/** deploy/mosquitto/journal in the Mosquitto that it is shipped with. tests/integration/broker-journal.test.ts kills it under load. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import { eventOf, until } from './fixture.ts';
import { createShippedMosquitto, skipWithoutShippedMosquitto, type ShippedMosquitto } from './mosquitto.ts';

const topic = 'drivers/d1/location';

describe('the journal of Mosquitto', { skip: skipWithoutShippedMosquitto }, () => {
  let broker: ShippedMosquitto;
  let received: string[];
  const clients: MqttClient[] = [];

  beforeEach(async () => {
    broker = await createShippedMosquitto();
    received = [];
    await broker.start();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
    await broker.stop();
  });

  async function connect(clientId = `phone-${clients.length}`, clean = true): Promise<MqttClient> {
    const client = mqtt.connect(broker.nodeUrl, { clientId, clean, reconnectPeriod: 0 });
    client.on('error', () => undefined);
    client.on('message', (_, payload) => received.push(payload.toString()));
    clients.push(client);
    await eventOf(client, 'connect');
    return client;
  }

  /** A node makes its session, and is away. */
  async function subscribe(): Promise<void> {
    const node = await connect('node-1', false);
    await node.subscribeAsync('#', { qos: 1 });
    await node.endAsync();
  }

  async function publish(...payloads: readonly string[]): Promise<void> {
    const phone = await connect();
    for (const payload of payloads) await phone.publishAsync(topic, payload, { qos: 1 });
  }

  async function kill(change: () => void = () => undefined): Promise<void> {
    await broker.end('SIGKILL');
    change();
    await broker.start();
  }

  /** What the node is handed when it is back, by its last message. */
  async function receiveUntil(last: string): Promise<readonly string[]> {
    received = [];
    const node = await connect('node-1', false);
    await until(`${last} has come`, () => received.includes(last));
    await node.endAsync();
    return received;
  }

  const journalBytes = (): number => statSync(broker.journalFile).size;
  const changeJournal = (change: (bytes: Buffer) => Buffer): void =>
    writeFileSync(broker.journalFile, change(readFileSync(broker.journalFile)));

  it('hands out after a kill what was acknowledged, in order, to a session that is as old as its subscription', async () => {
    await subscribe();
    await publish('one', 'two', 'three');
    await kill();
    assert.match(broker.log, /Journal: 3 messages of \d+ bytes are published again/);
    assert.deepEqual(await receiveUntil('three'), ['one', 'two', 'three']);
  });

  it('survives a second kill before the state is written, and hands out nothing twice to a session that is away', async () => {
    await subscribe();
    await publish('one');
    await kill();
    await publish('two');
    await kill();
    assert.deepEqual(await receiveUntil('two'), ['one', 'two']);
  });

  for (const [name, change] of [
    ['is cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
    ['has another byte', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from('X')])],
    ['has its head alone', (bytes: Buffer) => bytes.subarray(0, bytes.lastIndexOf(topic))],
    ['says that it is longer than the file', (bytes: Buffer) => lengthen(bytes)],
  ] as const) {
    it(`passes over a last record that ${name}, and goes on behind what is whole`, async () => {
      await subscribe();
      await publish('one', 'two', 'torn!');
      await kill(() => changeJournal(change));
      assert.match(broker.log, /Journal: its last \d+ bytes are no whole message, and cut off/);
      assert.match(broker.log, /Journal: 2 messages of \d+ bytes are published again/);
      await publish('three');
      await kill();
      assert.deepEqual(await receiveUntil('three'), ['one', 'two', 'three']);
    });
  }

  it('cuts off a torn record that stands alone: what is appended behind it can be read', async () => {
    await subscribe();
    await publish('torn!');
    await kill(() => changeJournal((bytes) => bytes.subarray(0, -1)));
    assert.match(broker.log, /Journal: 0 messages of 0 bytes are published again/);
    await publish('two');
    await kill();
    assert.deepEqual(await receiveUntil('two'), ['two']);
  });

  it('passes over zeros, as a loss of power leaves them behind', async () => {
    await subscribe();
    await publish('one');
    await kill(() => appendFileSync(broker.journalFile, Buffer.alloc(4096)));
    assert.match(broker.log, /Journal: its last 4096 bytes are no whole message/);
    await publish('two');
    assert.deepEqual(await receiveUntil('two'), ['one', 'two']);
  });

  it('is empty when the state is written: at a subscription of a node, and in an orderly end', async () => {
    await publish('before');
    assert.ok(journalBytes() > 0);
    await subscribe();
    await until('it is empty', () => journalBytes() === 0);
    await publish('after');
    await broker.end('SIGTERM');
    assert.equal(journalBytes(), 0);
    await broker.start();
    assert.deepEqual(await receiveUntil('after'), ['after']);
  });

  it('has the state written for what a node changes, not for a node that comes back and asks for what it has', async () => {
    await subscribe();
    await publish('one');
    const node = await connect('node-1', false);
    await node.subscribeAsync('#', { qos: 1 });
    await node.endAsync();
    await publish('two', 'three');
    assert.match(readFileSync(broker.journalFile, 'latin1'), /one.*two.*three/s);
    const leaving = await connect('node-1', false);
    await leaving.unsubscribeAsync('#');
    await until('the state is written', () => journalBytes() === 0);
  });

  it('takes a client of a node without a session of its own for none', async () => {
    await publish('one');
    const node = await connect('listener');
    await node.subscribeAsync('#', { qos: 1 });
    await publish('two');
    assert.match(readFileSync(broker.journalFile, 'latin1'), /one.*two/s);
  });

  it('keeps what devices send at quality of service 1, retained as they say, and nothing else', async () => {
    const phone = await connect();
    await phone.publishAsync(topic, 'at most once', { qos: 0 });
    await phone.publishAsync('drivers/d1/offers', 'an offer', { qos: 1 });
    assert.equal(journalBytes(), 0);
    await phone.publishAsync('owntracks/d1/phone', 'retained', { qos: 1, retain: true });
    await kill();
    const late = await connect('late');
    await late.subscribeAsync('owntracks/#', { qos: 1 });
    await until('the retained message has come', () => received.includes('retained'));
  });

  it('goes on after SIGHUP', async () => {
    await subscribe();
    const notes = (): number => broker.log.split('recommended to replace').length - 1;
    const before = notes();
    process.kill(broker.pid ?? 0, 'SIGHUP');
    await until('it has read its configuration again', () => notes() > before);
    await publish('one');
    await kill();
    assert.deepEqual(await receiveUntil('one'), ['one']);
  });
});

/** The last record's payload is said to be of 2^32 - 1 bytes. */
function lengthen(bytes: Buffer): Buffer {
  const headBytes = 24;
  const changed = Buffer.from(bytes);
  changed.writeUInt32LE(0xffff_ffff, bytes.lastIndexOf(topic) - headBytes + 12);
  return changed;
}

describe('the bound of the journal', { skip: skipWithoutShippedMosquitto }, () => {
  it('refuses messages without a PUBACK until the state can be written, and says so', async () => {
    const broker = await createShippedMosquitto({ plugin_opt_max_bytes: '1000' });
    let phone: MqttClient | undefined;
    try {
      await broker.start();
      // Mosquitto writes to a file of this name first.
      const obstacle = join(dirname(broker.journalFile), 'mosquitto.db.new');
      mkdirSync(obstacle);
      phone = mqtt.connect(broker.nodeUrl, { clientId: 'phone', clean: false, reconnectPeriod: 20 });
      phone.on('error', () => undefined);
      let acknowledged = 0;
      const sent = Array.from({ length: 30 }, async (_, index) => {
        await phone?.publishAsync(topic, `fix ${index} ${'.'.repeat(40)}`, { qos: 1 });
        acknowledged += 1;
      });
      await until('messages are refused', () => /Journal: messages are refused: max_bytes is reached/.test(broker.log));
      const before = acknowledged;
      assert.ok(before < 15, `${before} of 100 bytes and more fit into 1000`);
      assert.ok(statSync(broker.journalFile).size <= 1000);
      rmdirSync(obstacle);
      // Each second it asks for the state; the phone has kept its messages.
      await Promise.all(sent);
      assert.match(broker.log, /Journal: messages are taken again, [1-9]\d* were refused/);
    } finally {
      await phone?.endAsync(true);
      await broker.stop();
    }
  });

  for (const [name, value, message] of [
    ['plugin_opt_max_bytes', '1 GB', /'max_bytes' must be a whole number of at least 1: it is '1 GB'/],
    ['plugin_opt_sync_ms', '-1', /'sync_ms' must be a whole number of at least 0: it is '-1'/],
    ['plugin_opt_folder', '/nowhere', /cannot open it in \/nowhere: No such file or directory/],
  ] as const) {
    it(`does not start with ${name} ${value}`, async () => {
      const broker = await createShippedMosquitto({ [name]: value });
      try {
        await assert.rejects(() => broker.start(), /Cannot start mosquitto/);
        assert.match(broker.log, message);
      } finally {
        await broker.stop();
      }
    });
  }
});
