/** A core in a process of its own with drivers' phones that send to it, for tests of what survives what. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killCores, startCore, type CoreProcess } from '../core-process.ts';
import { freePort } from '../external-postgres.ts';
import { openEmbeddedDatabase, type EmbeddedDatabase } from './embedded-database.ts';

/** Rejected messages that are kept: few, so that they can be made too many. */
export const deadLettersMax = 100;

export interface DeviceCredentials {
  readonly driverId: string;
  readonly username: string;
  readonly password: string;
}

export interface Rig {
  readonly dataDir: string;
  readonly database: EmbeddedDatabase;
  /** The same after each start. */
  readonly mqttUrl: string;
  readonly core: CoreProcess;
  readonly devices: readonly DeviceCredentials[];
  /** Of a plugin's newest process. @param plugin - default tracking */
  pluginPid(plugin?: string): Promise<number>;
  killCore(): Promise<void>;
  startCore(): Promise<void>;
  stop(): Promise<void>;
}

export interface RigOptions {
  readonly devices: number;
  /** External broker. @default the embedded one */
  readonly brokerUrl?: string;
  /** @default drivers and tracking */
  readonly plugins?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly nodeFlags?: readonly string[];
}

export async function startRig(options: RigOptions): Promise<Rig> {
  const dataDir = await mkdtemp(join(tmpdir(), 'returnit-rig-'));
  const port = await freePort();
  const start = (): Promise<CoreProcess> =>
    startCore({
      dataDir,
      args: ['--plugins', (options.plugins ?? ['drivers', 'tracking']).join(',')],
      nodeFlags: options.nodeFlags ?? [],
      environment: {
        MQTT_PORT: String(port),
        ...(options.brokerUrl === undefined ? {} : { MQTT_URL: options.brokerUrl }),
        // It is killed more often than would be borne.
        PLUGIN_QUARANTINE_DEATHS: '100000',
        TRACKING_DEAD_LETTERS_MAX: String(deadLettersMax),
        ...options.environment,
      },
    });
  let core = await start();
  const devices = await registerDevices(core, options.devices);
  return {
    dataDir,
    database: openEmbeddedDatabase(dataDir),
    mqttUrl: options.brokerUrl ?? `mqtt://127.0.0.1:${port}`,
    devices,
    get core() {
      return core;
    },
    async pluginPid(plugin = 'tracking') {
      const lines = (await readFile(join(dataDir, 'returnit.log'), 'utf8')).split('\n');
      const ready = lines.findLast((line) => line.includes(`"plugin ${plugin} is ready"`));
      assert.ok(ready !== undefined, `${plugin} was ready once`);
      return (JSON.parse(ready) as { pid: number }).pid;
    },
    async killCore() {
      await core.end('SIGKILL');
    },
    async startCore() {
      core = await start();
    },
    async stop() {
      if (core.child.exitCode === null && core.child.signalCode === null) await core.end('SIGTERM');
      await killCores();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function registerDevices(core: CoreProcess, count: number): Promise<readonly DeviceCredentials[]> {
  const ops = await core.as('ops', 'durability');
  const devices: DeviceCredentials[] = [];
  for (let index = 0; index < count; index += 1) {
    const driverId = `driver-${index}`;
    await ops.ok('POST', '/drivers', { driverId, name: `Driver ${index}`, vehicle: 'van' });
    const issued = await ops.ok<{ username: string; password: string }>('POST', `/drivers/${driverId}/devices`, {
      deviceId: 'phone',
    });
    devices.push({ driverId, username: issued.username, password: issued.password });
  }
  return devices;
}
