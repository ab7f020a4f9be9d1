/** Two nodes of the platform on one Postgres and one Mosquitto: one is killed in the middle of a stream. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import * as pg from 'pg';
import { createMosquitto, skipWithoutMosquitto, type Mosquitto } from '../core/mqtt/mosquitto.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { near, placeOf, type Place } from '../support/journey.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const drivers = ['driver-a', 'driver-b', 'driver-c', 'driver-d'];
const fixesOfEach = 500;
const killedAfter = 200;

describe('two nodes at one broker', { skip: skipWithoutMosquitto }, () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let broker: Mosquitto;
  let device: MqttClient;
  let folder: string;
  let nodes: CoreProcess[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'returnit-nodes-'));
    database = await createTestDatabase();
    pool = new pg.Pool({ connectionString: database.url, max: 2 });
    broker = await createMosquitto();
    await broker.start();
    const environment = {
      DATABASE_URL: database.url,
      MQTT_URL: broker.url,
      MQTT_HANDOVER_AFTER_MS: '1000',
      DB_POOL_MAX: '12',
    };
    nodes = [];
    for (const name of ['n1', 'n2']) {
      const dataDir = join(folder, name);
      nodes.push(await startCore({ dataDir, args: ['--plugins', 'tracking'], environment }));
    }
    device = await mqtt.connectAsync(broker.url, { clientId: 'phones' });
  });
  after(async () => {
    await device?.endAsync(true);
    await killCores();
    await broker?.stop();
    await pool?.end();
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const startMs = Date.now() - 3_600_000;
  const placeAt = (driver: number, index: number): Place => near(placeOf(driver + 1), index);

  async function publish(from: number, to: number): Promise<void> {
    const sent: Promise<unknown>[] = [];
    for (let index = from; index < to; index += 1) {
      for (const [number, driver] of drivers.entries()) {
        const recordedAt = new Date(startMs + index * 1000).toISOString();
        const payload = JSON.stringify({ ...placeAt(number, index), recordedAt, accuracyM: 4 });
        sent.push(device.publishAsync(`drivers/${driver}/location`, payload, { qos: 1 }));
      }
    }
    await Promise.all(sent);
  }

  async function stored(): Promise<number> {
    const { rows } = await pool.query<{ count: number }>(
      'select count(*)::int as count from tracking.driver_location_pings',
    );
    return rows[0]?.count ?? 0;
  }

  async function received(node: CoreProcess): Promise<number> {
    const text = await (await fetch(`${node.addresses.ops}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith('returnit_mqtt_messages_received_total{'));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  it('share a stream, and lose nothing when one is killed in the middle of it', async () => {
    const [first, second] = nodes;
    assert.ok(first !== undefined && second !== undefined);
    let count = 0;
    await until('both take their share', async () => {
      await publish(count, (count += 10));
      return (await received(first)) > 0 && (await received(second)) > 0;
    });
    await publish(count, killedAfter);
    const rest = publish(killedAfter, fixesOfEach);
    assert.equal(await first.end('SIGKILL'), 'SIGKILL');
    await rest;
    const acknowledged = drivers.length * fixesOfEach;
    await until('every acknowledged fix is stored', async () => (await stored()) >= acknowledged);
    assert.equal(await stored(), acknowledged);
    const { rows } = await pool.query<{ driver_id: string; lat: number; lon: number }>(
      'select driver_id, lat, lon from tracking.driver_position order by driver_id',
    );
    assert.deepEqual(
      rows,
      drivers.map((driver_id, number) => ({ driver_id, ...placeAt(number, fixesOfEach - 1) })),
    );
    await until('the session of the dead is gone', async () => {
      const { rowCount } = await pool.query('select 1 from returnit.mqtt_session');
      return rowCount === 1;
    });
  });
});
