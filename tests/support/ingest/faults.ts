/** What happens to a platform while fixes come in. Each resolves when it was done; recovering is the platform's part. */
import assert from 'node:assert/strict';
import { until } from '../until.ts';
import type { Phone } from './phone.ts';
import type { Random } from './random.ts';
import { deadLettersMax, type Rig } from './rig.ts';

/** What a fault of the platform itself needs. */
export interface RigContext {
  readonly rig: Rig;
}

export interface FaultContext extends RigContext {
  readonly phones: readonly Phone[];
  readonly random: Random;
  /** How long a commit is held up. */
  readonly blockSeconds: number;
}

export type Fault = (context: FaultContext) => Promise<void>;
export type RigFault = (context: RigContext) => Promise<void>;

/** `kill -9`, and a start on the same data folder. */
export const killCore: RigFault = async ({ rig }) => {
  await rig.killCore();
  await rig.startCore();
};

/** In order: what is in hand is stored and acknowledged, or comes again. The embedded broker is restarted with it. */
const restartCore: RigFault = async ({ rig }) => {
  assert.equal(await rig.core.end('SIGTERM'), 0);
  await rig.startCore();
};

export const killPlugin =
  (plugin: string): RigFault =>
  async ({ rig }) => {
    const pid = await rig.pluginPid(plugin);
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // It has just died of another fault.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };

/** The core starts it again. SIGINT is Postgres' fast shutdown, SIGQUIT its immediate one, after which it recovers from the log. */
export const endPostgres =
  (signal: 'SIGINT' | 'SIGQUIT'): RigFault =>
  async ({ rig }) => {
    const pid = rig.database.postmasterPid;
    process.kill(pid, signal);
    await until('another Postgres runs', () => {
      try {
        return rig.database.postmasterPid !== pid;
      } catch {
        return false; // None runs.
      }
    });
  };

const cutPhones: Fault = async ({ phones, random }) => {
  const count = random.integer(1, phones.length);
  for (const phone of random.shuffle(phones).slice(0, count)) phone.cut();
};

/** Another session holds the table that every batch writes to. */
const blockCommit: Fault = ({ rig, blockSeconds }) =>
  rig.database.with(async (client) => {
    await client.query('begin');
    await client.query('lock table tracking.newest_positions in access exclusive mode');
    await until('a batch waits for the lock', async () => {
      const { rows } = await client.query('select 1 from pg_locks where not granted limit 1');
      return rows.length > 0;
    });
    await client.query('select pg_sleep($1)', [blockSeconds]);
    await client.query('commit');
  });

/** More rejected messages than are kept, among good ones. They, too, are acknowledged. */
const fillDeadLetters: Fault = async ({ rig, phones, random }) => {
  const [phone] = random.shuffle(phones);
  await phone?.sendUnreadable(2 * deadLettersMax);
  await until('the dead letters are at their limit', () =>
    rig.database.with(async (client) => {
      const { rows } = await client.query<{ count: string }>('select count(*) as count from tracking.dead_letters');
      return Number(rows[0]?.count) === deadLettersMax;
    }),
  );
};

export const faults: Readonly<Record<string, Fault>> = {
  'kill -9 of the core': killCore,
  'restart of the core': restartCore,
  'kill -9 of the plugin': killPlugin('tracking'),
  'fast restart of Postgres': endPostgres('SIGINT'),
  'immediate restart of Postgres': endPostgres('SIGQUIT'),
  'cut connections': cutPhones,
  'blocked commit': blockCommit,
  'full dead-letter table': fillDeadLetters,
};
