import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createMosquitto, createShippedMosquitto, type ShippedMosquitto } from '../../core/mqtt/mosquitto.ts';
import { faults } from '../../support/ingest/faults.ts';
import { createRandom } from '../../support/ingest/random.ts';
import { startRig, type Rig, type RigOptions } from '../../support/ingest/rig.ts';
import { textFlag } from '../flags.ts';
import { cpuOfTree } from '../process-cpu.ts';
import type { Side } from './side.ts';

export interface BenchRig {
  readonly rig: Rig;
  readonly side: Side;
  stop(): Promise<void>;
}

/** What is measured is what a fix costs, not when a device's budget ends. */
const environment = { TRACKING_DEVICE_FIXES_PER_SECOND: '0', LOG_LEVEL: 'info' };

/** `--cpu-prof=<folder>`: the core leaves a CPU profile there. */
function profileFlags(): readonly string[] {
  const folder = textFlag('cpu-prof');
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${path.resolve(folder)}`];
}

/** A running broker beside the platform. */
export type BenchBroker = Pick<ShippedMosquitto, 'pid' | 'deviceUrl' | 'nodeUrl' | 'stop'>;

/** As it is shipped. @param accountsOf - one that knows the devices */
export async function startShippedMosquitto(accountsOf?: ShippedMosquitto): Promise<ShippedMosquitto> {
  const mosquitto = await createShippedMosquitto();
  if (accountsOf !== undefined) copyFileSync(accountsOf.accountsFile, mosquitto.accountsFile);
  await mosquitto.start();
  return mosquitto;
}

/** Asks nobody who he is. */
export async function startOpenMosquitto(): Promise<BenchBroker> {
  const mosquitto = await createMosquitto({ saveEachChange: false });
  await mosquitto.start();
  return Object.assign(mosquitto, { deviceUrl: mosquitto.url, nodeUrl: mosquitto.url });
}

export type PlatformSideOptions = Pick<RigOptions, 'plugins' | 'environment'>;

/** The platform with the embedded broker, or with this Mosquitto. */
export async function startPlatformSide(
  devices: number,
  mosquitto?: BenchBroker,
  options: PlatformSideOptions = {},
): Promise<BenchRig> {
  const accounts = mosquitto === undefined ? {} : { MQTT_ACCOUNTS: 'dynamic-security' };
  const rig = await startRig({
    ...options,
    ...(mosquitto === undefined ? {} : { brokerUrl: mosquitto.nodeUrl }),
    devices,
    environment: { ...environment, ...accounts, ...options.environment },
    nodeFlags: profileFlags(),
  });
  await keepCommitTimes(rig);
  return {
    rig,
    side: {
      name: mosquitto === undefined ? 'embedded' : 'mosquitto',
      url: mosquitto?.deviceUrl ?? rig.mqttUrl,
      devices: rig.devices,
      rig,
      table: 'tracking.driver_location_pings',
      acknowledgesCommit: mosquitto === undefined,
      async cpu() {
        const core = rig.core.child.pid ?? 0;
        const plugin = cpuOfTree(await rig.pluginPid());
        const notPostgres = cpuOfTree(core, (name) => !name.startsWith('postgres'));
        return { core: notPostgres - plugin, plugin, ...brokerCpu(mosquitto) };
      },
    },
    stop: () => rig.stop(),
  };
}

/** The hand-written subscriber of the same broker, into a table of its own in the same Postgres. */
export async function startBaselineSide(rig: Rig, mosquitto: BenchBroker): Promise<BenchRig> {
  const password = readFileSync(path.join(rig.dataDir, 'postgres.secret'), 'utf8').trim();
  const child: ChildProcess = fork(path.join(import.meta.dirname, 'baseline.ts'), [
    mosquitto.nodeUrl,
    path.join(rig.dataDir, 'postgres'),
    password,
  ]);
  await once(child, 'message');
  return {
    rig,
    side: {
      name: 'baseline',
      url: mosquitto.deviceUrl,
      devices: rig.devices,
      rig,
      table: 'bench.pings',
      acknowledgesCommit: false,
      cpu: async () => ({ core: cpuOfTree(child.pid ?? 0), ...brokerCpu(mosquitto) }),
    },
    async stop() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

const brokerCpu = (mosquitto: BenchBroker | undefined): Readonly<Record<string, number>> =>
  mosquitto?.pid === undefined ? {} : { broker: cpuOfTree(mosquitto.pid) };

/** Postgres keeps when each transaction was committed: for both sides. */
async function keepCommitTimes(rig: Rig): Promise<void> {
  await rig.database.with((client) => client.query('alter system set track_commit_timestamp = on'));
  await faults['fast restart of Postgres']?.({ rig, phones: [], random: createRandom(1), blockSeconds: 0 });
  await rig.database.with((client) => client.query('select 1'));
}
