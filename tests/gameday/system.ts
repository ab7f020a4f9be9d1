/** A platform that runs as it does elsewhere, in a process of its own, and what watches it. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Api } from '../support/api-client.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { freePort, startExternalPostgres, type ExternalPostgres } from '../support/external-postgres.ts';
import { openEmbeddedDatabase } from '../support/ingest/embedded-database.ts';
import { copyProject, type ProjectCopy } from '../support/project-copy.ts';
import { createMosquitto, type Mosquitto, type MosquittoOptions } from '../core/mqtt/mosquitto.ts';
import { skipWithout } from '../support/programs.ts';
import { createCgroup, skipWithoutCgroups, type Cgroup } from './cgroup.ts';
import { createCaller, type Caller } from './caller.ts';
import { mountVolume, skipWithoutVolumes } from './volume.ts';
import { startMonitoring, type Monitoring } from './monitoring.ts';
import type { Clock } from './scale.ts';

export interface SystemNeeds {
  /** Plugins of the project; `saboteur` is always there. @default none */
  readonly plugins?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly nodeFlags?: readonly string[];
  /** Debian's Postgres, to be stopped and started; otherwise the embedded one. @default false */
  readonly externalPostgres?: boolean;
  /** Limits of a container for the core and all that it starts, by file: `memory.limit_in_bytes`. @default none */
  readonly container?: Readonly<Record<string, number>>;
  /** A volume of this size for the data folder. @default the disk */
  readonly volumeBytes?: number;
  /** A Mosquitto instead of the embedded broker. @default none */
  readonly mosquitto?: MosquittoOptions;
  /** @default a Monday at three at night: what is only wrong in business hours is in the way of nothing else */
  readonly clock?: Clock;
}

/** Why there can be no such system on this machine, or false. */
export function skipWithoutNeeds({ container, volumeBytes, externalPostgres, mosquitto }: SystemNeeds = {}):
  | string
  | false {
  return (
    skipWithout(['prometheus', 'prometheus-alertmanager'], 'prometheus prometheus-alertmanager') ||
    (mosquitto !== undefined && skipWithout(['mosquitto'], 'mosquitto')) ||
    (externalPostgres === true && skipWithout(['postgres'], 'postgresql-15')) ||
    (container !== undefined && skipWithoutCgroups()) ||
    (volumeBytes !== undefined && skipWithoutVolumes())
  );
}

const night: Clock = { hour: 3, weekday: 1 };

export interface System {
  readonly core: CoreProcess;
  /** Where it was started: `data` is in it, and what Prometheus and Alertmanager were given. */
  readonly folder: string;
  readonly monitoring: Monitoring;
  /** Calls the API as ops, whatever is answered. */
  readonly caller: Caller;
  /** As ops; what is answered must be a success and as described. */
  readonly ops: Api;
  readonly postgres: ExternalPostgres | undefined;
  readonly mosquitto: Mosquitto | undefined;
  /** That the core is in. */
  readonly container: Cgroup | undefined;
  readonly mqttUrl: string;
  readonly dataDir: string;
  readonly factor: number;
  /** A time of the rules, as it is here. */
  shortened(seconds: number): number;
  /** As the database's superuser, on a connection of its own. */
  withDatabase<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /** What a handler of a plugin is asked for; fails when it is not answered with success. */
  sabotage(path: string, amount?: number): Promise<void>;
  killCore(): Promise<void>;
  /** After it was killed, or instead of what runs, on the same data and the same ports. */
  startCore(environment?: Readonly<Record<string, string>>): Promise<void>;
  stop(): Promise<void>;
}

const plugins = join(import.meta.dirname, 'plugins');

/** For all systems of a run: the project as it is, with everything granted that the saboteur asks for. */
export const copyForGameDay = (): Promise<ProjectCopy> => copyProject({ external: plugins, withCore: true });

export async function startSystem(project: ProjectCopy, factor: number, needs: SystemNeeds = {}): Promise<System> {
  const cleanup = new AsyncDisposableStack();
  try {
    return await startParts(project, { factor, needs, cleanup });
  } catch (error) {
    // What was started before it failed.
    await cleanup.disposeAsync();
    throw error;
  }
}

interface PartsOptions {
  readonly factor: number;
  readonly needs: SystemNeeds;
  readonly cleanup: AsyncDisposableStack;
}

async function startParts(project: ProjectCopy, { factor, needs, cleanup }: PartsOptions): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), 'returnit-gameday-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'data');
  await mkdir(dataDir);
  if (needs.volumeBytes !== undefined) cleanup.defer(mountVolume(dataDir, needs.volumeBytes));
  const [httpPort, opsPort, mqttPort] = [await freePort(), await freePort(), await freePort()];
  const postgres = needs.externalPostgres === true ? await startExternalPostgres() : undefined;
  cleanup.defer(async () => postgres?.stop());
  const mosquitto = needs.mosquitto === undefined ? undefined : await createMosquitto(needs.mosquitto);
  cleanup.defer(async () => mosquitto?.stop());
  await mosquitto?.start();
  const container = needs.container === undefined ? undefined : createCgroup(needs.container);
  cleanup.defer(() => container?.remove());
  const start = (environment: Readonly<Record<string, string>> = {}): Promise<CoreProcess> =>
    startCore({
      dataDir,
      projectDir: project.dir,
      args: ['--plugin-path', plugins, '--plugins', ['saboteur', ...(needs.plugins ?? [])].join(',')],
      nodeFlags: [...(container?.nodeFlags ?? []), ...(needs.nodeFlags ?? [])],
      environment: {
        HTTP_PORT: String(httpPort),
        OPS_PORT: String(opsPort),
        MQTT_PORT: String(mqttPort),
        ...(postgres === undefined ? {} : { DATABASE_URL: postgres.url }),
        ...(mosquitto === undefined ? {} : { MQTT_URL: mosquitto.url }),
        ...container?.environment,
        ...needs.environment,
        ...environment,
      },
    });
  cleanup.defer(killCores);
  let core = await start();
  const endCore = async (): Promise<void> => {
    if (core.child.exitCode === null && core.child.signalCode === null) await core.end('SIGTERM');
  };
  cleanup.defer(endCore);
  const monitoring = await startMonitoring({
    factor,
    folder,
    nodes: [`127.0.0.1:${opsPort}`],
    clock: needs.clock ?? night,
  });
  cleanup.defer(() => monitoring.stop());
  const ops = await core.as('ops', 'gameday');
  const caller = createCaller(core.addresses.api, ops.token ?? '');
  const embedded = openEmbeddedDatabase(dataDir);
  return {
    get core() {
      return core;
    },
    folder,
    monitoring,
    ops,
    caller,
    postgres,
    mosquitto,
    container,
    mqttUrl: mosquitto?.url ?? `mqtt://127.0.0.1:${mqttPort}`,
    dataDir,
    factor,
    shortened: (seconds) => seconds / factor,
    async withDatabase(work) {
      if (postgres === undefined) return embedded.with(work);
      const client = new Client({ connectionString: postgres.url });
      await client.connect();
      try {
        return await work(client);
      } finally {
        await client.end();
      }
    },
    async sabotage(path, amount = 1) {
      const status = await caller.post(`/saboteur/${path}`, { amount });
      if (status !== 200) throw new Error(`Cannot ask the saboteur for '${path}': it answered ${status}`);
    },
    async killCore() {
      await core.end('SIGKILL');
    },
    async startCore(environment) {
      await endCore();
      core = await start(environment);
    },
    stop: () => cleanup.disposeAsync(),
  };
}
