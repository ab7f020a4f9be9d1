import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import * as pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { startExternalNode, type ExternalNode } from './external-node.ts';
import { acceptAll, until, type Handler } from './fixture.ts';
import { createMosquitto, skipWithoutMosquitto, type Mosquitto } from './mosquitto.ts';

const topic = 'drivers/d1/location';

describe('sessions at an external broker', { skip: skipWithoutMosquitto }, () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let broker: Mosquitto;
  let device: MqttClient;
  const nodes: ExternalNode[] = [];

  before(async () => {
    database = await createTestDatabase();
    pool = new pg.Pool({ connectionString: database.url, max: 4 });
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });
  beforeEach(async () => {
    await pool.query('delete from returnit.mqtt_session');
    broker = await createMosquitto();
    await broker.start();
    device = await mqtt.connectAsync(broker.url, { clientId: 'phone' });
  });
  afterEach(async () => {
    await device.endAsync(true);
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
    await broker.stop();
  });

  async function startNode(nodeId: string, handler: Handler): Promise<ExternalNode> {
    const node = await startExternalNode({ url: broker.url, nodeId, database: pool });
    nodes.push(node);
    await node.subscribe('drivers/+/location', handler);
    return node;
  }

  const collect =
    (into: string[]): Handler =>
    async (messages) => {
      for (const { payload } of messages) into.push(payload);
      return acceptAll(messages);
    };

  async function publish(from: number, to: number): Promise<string[]> {
    const numbers = Array.from({ length: to - from }, (_, index) => String(from + index));
    await Promise.all(numbers.map((number) => device.publishAsync(topic, number, { qos: 1 })));
    return numbers;
  }

  async function sessions(): Promise<{ client_id: string; keeper: string }[]> {
    return (await pool.query('select client_id, keeper from returnit.mqtt_session order by 1')).rows;
  }

  async function bothSubscribed(first: readonly string[], second: readonly string[]): Promise<void> {
    await until('both take their share', async () => {
      await device.publishAsync(topic, 'probe', { qos: 1 });
      return first.includes('probe') && second.includes('probe');
    });
    await until('both are registered', async () => (await sessions()).length === 2);
  }

  it('of a node that died are emptied by another, which then gets everything', async () => {
    const [lost, kept]: [string[], string[]] = [[], []];
    let dead = false;
    const first = await startNode('n1', async (messages) => {
      // Its last batch is never committed.
      if (dead) await new Promise(() => undefined);
      return collect(lost)(messages);
    });
    const second = await startNode('n2', collect(kept));
    await bothSubscribed(lost, kept);
    dead = true;
    const inFlight = await publish(0, 100);
    await first.stop();
    const whileDead = await publish(100, 200);
    await until('the other has all of it', () => [...inFlight, ...whileDead].every((number) => kept.includes(number)));
    await until('the session is gone', async () => (await sessions()).length === 1);
    assert.equal(await second.sample('returnit_mqtt_session_handovers_total{outcome="drained"}'), 1);
    const after = await publish(200, 300);
    await until('nothing waits for the dead', () => after.every((number) => kept.includes(number)));
    assert.equal(second.transport.connected, true);
  });

  it('are its own again when a node comes back while it is emptied', async () => {
    const [own, other]: [string[], string[]] = [[], []];
    const first = await startNode('n1', collect(own));
    let blocked = false;
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    await startNode('n2', async (messages) => {
      if (blocked) await opened;
      return collect(other)(messages);
    });
    await bothSubscribed(own, other);
    await first.stop();
    blocked = true;
    const numbers = await publish(0, 60);
    await until('the other has claimed it', async () =>
      (await sessions()).some(({ client_id, keeper }) => client_id === 'returnit-n1-tracking' && keeper === 'n2'),
    );
    await startNode('n1', collect(own));
    await until('it is its own', async () =>
      (await sessions()).some(({ client_id, keeper }) => client_id === 'returnit-n1-tracking' && keeper === 'n1'),
    );
    open();
    await until('all have arrived', () => numbers.every((number) => own.includes(number) || other.includes(number)));
    own.length = 0;
    await bothSubscribed(own, other);
  });

  it('of the living are left alone after the database was away', async () => {
    const seen: string[] = [];
    let away = false;
    let refused = 0;
    const flaky = {
      async query(query: { name: string; text: string; values: unknown[] }) {
        if (!away) return pool.query(query);
        refused += 1;
        throw new Error('connection refused');
      },
    };
    const node = await startExternalNode({ url: broker.url, nodeId: 'n1', database: flaky });
    nodes.push(node);
    await node.subscribe('drivers/+/location', collect(seen));
    await until('it is registered', async () => (await sessions()).length === 1);
    await pool.query(
      `insert into returnit.mqtt_session (client_id, broker, plugin, filters, keeper, seen_at)
       select 'returnit-n2-tracking', broker, plugin, filters, 'n2', 'epoch' from returnit.mqtt_session`,
    );
    away = true;
    await until('it was refused for longer than a lease', () => refused > 4);
    // The other renews when the database is back, and within a lease nobody has claimed it.
    await pool.query("update returnit.mqtt_session set seen_at = clock_timestamp() where keeper = 'n2'");
    away = false;
    await until('it is registered again', async () => {
      const { rowCount } = await pool.query(
        "select 1 from returnit.mqtt_session where keeper = 'n1' and seen_at > clock_timestamp() - interval '1 second'",
      );
      return rowCount === 1;
    });
    assert.deepEqual(
      (await sessions()).map(({ keeper }) => keeper),
      ['n1', 'n2'],
    );
  });
});
