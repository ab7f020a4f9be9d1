/** Nodes of the platform, each a process of its own, on one Postgres and one Mosquitto. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import * as pg from 'pg';
import { createMosquitto } from '../core/mqtt/mosquitto.ts';
import { killCores, startCore, type CoreProcess } from './core-process.ts';
import { createTestDatabase } from './postgres.ts';

export interface MosquittoNodes {
  /** Of the administrator. */
  readonly pool: pg.Pool;
  /** All phones, as one client of the broker. */
  readonly phones: MqttClient;
  /** Starts one, or again one that has ended: it keeps its data folder, and with it its sessions at the broker. */
  start(
    name: string,
    own?: { readonly plugins?: string; readonly environment?: NodeEnvironment },
  ): Promise<CoreProcess>;
  stop(): Promise<void>;
}

type NodeEnvironment = Readonly<Record<string, string>>;

/** @param plugins that the nodes run, unless one is started with its own */
export async function createMosquittoNodes(plugins: string): Promise<MosquittoNodes> {
  const folder = await mkdtemp(join(tmpdir(), 'returnit-nodes-'));
  const database = await createTestDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  // Nobody kills it: nothing is worth a save at each change, which takes the longer the more is queued.
  const broker = await createMosquitto({ saveEachChange: false });
  await broker.start();
  const phones = await mqtt.connectAsync(broker.url, { clientId: 'phones', protocolVersion: 5 });
  const environment = {
    DATABASE_URL: database.url,
    MQTT_URL: broker.url,
    MQTT_HANDOVER_AFTER_MS: '3000',
    DB_POOL_MAX: '12',
  };
  return {
    pool,
    phones,
    start: (name, own) =>
      startCore({
        dataDir: join(folder, name),
        args: ['--plugins', own?.plugins ?? plugins],
        environment: { ...environment, ...own?.environment },
      }),
    async stop() {
      await phones.endAsync(true);
      await killCores();
      await broker.stop();
      await pool.end();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What a node counts under a name, all labels together. */
export async function readCounter(node: CoreProcess, name: string): Promise<number> {
  const text = await (await fetch(`${node.addresses.ops}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
