/** The shipped Mosquitto is restarted and killed while devices publish, with one node of the platform and with two. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import mqtt, { type MqttClient } from 'mqtt';
import * as pg from 'pg';
import { createShippedMosquitto, skipWithoutShippedMosquitto, type ShippedMosquitto } from '../core/mqtt/mosquitto.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const devices = 20;
const windowMax = 5;
/** Sent before the broker ends, three times as many, and after it is back. */
const flowing = 1000;
const recoveryMaxMs = 150_000;

/** Publishes one fix after the other, each until it has its PUBACK, over lost connections too. */
class Device {
  readonly acknowledged: number[] = [];
  readonly #client: MqttClient;
  readonly #topic: string;
  readonly #startMs: number;
  #next = 0;
  #running = true;
  #lanes: readonly Promise<void>[] = [];

  constructor(url: string, driverId: string, startMs: number) {
    this.#client = mqtt.connect(url, { clientId: driverId, clean: false, reconnectPeriod: 20 });
    this.#client.on('error', () => undefined);
    this.#topic = `drivers/${driverId}/location`;
    this.#startMs = startMs;
  }

  start(): void {
    this.#lanes = Array.from({ length: windowMax }, () => this.#run());
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const number = (this.#next += 1);
      const recordedAt = new Date(this.#startMs + number).toISOString();
      const payload = JSON.stringify({ lat: 52.5, lon: 13.4, recordedAt, accuracyM: 4 });
      await this.#client.publishAsync(this.#topic, payload, { qos: 1 });
      this.acknowledged.push(number);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async finish(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#lanes);
  }

  async close(): Promise<void> {
    this.#running = false;
    await this.#client.endAsync(true);
  }
}

for (const count of [1, 2]) {
  describe(`Mosquitto and ${count} of the nodes`, { skip: skipWithoutShippedMosquitto }, () => {
    let database: TestDatabase;
    let pool: pg.Pool;
    let broker: ShippedMosquitto;
    let folder: string;
    let publishing: Device[] = [];

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'returnit-restart-'));
      database = await createTestDatabase();
      pool = new pg.Pool({ connectionString: database.url, max: 2 });
      broker = await createShippedMosquitto();
      await broker.start();
      const environment = {
        DATABASE_URL: database.url,
        MQTT_URL: broker.nodeUrl,
        MQTT_HANDOVER_AFTER_MS: '1500',
        DB_POOL_MAX: '12',
      };
      const nodes: CoreProcess[] = [];
      for (let index = 0; index < count; index += 1) {
        const dataDir = join(folder, `n${index}`);
        nodes.push(await startCore({ dataDir, args: ['--plugins', 'tracking'], environment }));
      }
      await until('the nodes know each other', async () => {
        const { rowCount } = await pool.query('select 1 from returnit.mqtt_session');
        return rowCount === count || undefined;
      });
    });
    after(async () => {
      for (const device of publishing) await device.close();
      await killCores();
      await broker?.stop();
      await pool?.end();
      await database?.drop();
      await rm(folder, { recursive: true, force: true });
    });

    async function storedOf(driverId: string, startMs: number): Promise<Map<number, number>> {
      const { rows } = await pool.query<{ number: string; times: string }>(
        `select round(extract(epoch from recorded_at) * 1000) - $2 as number, count(*) as times
         from tracking.driver_fixes where driver_id = $1 group by 1`,
        [driverId, startMs],
      );
      return new Map(rows.map(({ number, times }) => [Number(number), Number(times)]));
    }

    async function countLost(drivers: readonly string[], startMs: number): Promise<number> {
      let lost = 0;
      for (const [index, { acknowledged }] of publishing.entries()) {
        const stored = await storedOf(drivers[index] ?? '', startMs);
        assert.ok([...stored.values()].every((times) => times === 1));
        lost += acknowledged.filter((number) => !stored.has(number)).length;
      }
      return lost;
    }

    /** Ends the broker in the middle of a stream and starts it again. @returns fixes acknowledged, all of which are stored */
    async function interrupt(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
      const startMs = Date.now() - 3_600_000;
      const drivers = Array.from({ length: devices }, (_, index) => `${name}-${index}`);
      publishing = drivers.map((driverId) => new Device(broker.nodeUrl, driverId, startMs));
      for (const device of publishing) device.start();
      const sent = (): number => publishing.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
      await until('fixes flow', () => sent() > 3 * flowing || undefined, recoveryMaxMs);
      await broker.end(signal);
      await broker.start();
      const before = sent();
      await until('fixes flow again', () => sent() > before + flowing || undefined, recoveryMaxMs);
      for (const device of publishing) await device.finish();
      const total = sent();
      await until('all are stored', async () => (await countLost(drivers, startMs)) === 0 || undefined, recoveryMaxMs);
      for (const device of publishing) await device.close();
      publishing = [];
      return total;
    }

    for (const [end, signal] of [
      ['restarted', 'SIGTERM'],
      ['killed', 'SIGKILL'],
    ] as const) {
      it(`lose nothing when it is ${end}`, async (t) => {
        t.diagnostic(`${await interrupt(end, signal)} fixes were acknowledged, and stored once each`);
      });
    }
  });
}
