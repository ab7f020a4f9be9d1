import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '#core/errors/app-error.ts';

/**
 * As whom the embedded Postgres runs. Postgres refuses to run as root, so a core that runs as root gives it another
 * account: the owner of the cluster if there is one already, else `postgres` if the system has it, else `nobody`.
 * No account is ever created: nothing of us may stay on the machine outside the data folder.
 */
export interface PostgresAccount {
  /** Absent when the core is not root: Postgres then runs as the core does. */
  readonly ids?: { readonly uid: number; readonly gid: number };
  /** A program as this account. */
  command(
    program: string,
    args: readonly string[],
  ): { readonly file: string; readonly args: string[]; readonly ids?: { uid: number; gid: number } };
}

const accounts = ['postgres', 'nobody'];
const setprivPaths = ['/usr/bin/setpriv', '/bin/setpriv'];

/**
 * @param needs folders that Postgres must be able to enter: the binaries' and the data folder
 * @throws {AppError} DATABASE_UNREACHABLE when no account will do
 */
export function findPostgresAccount(clusterDir: string, needs: readonly string[]): PostgresAccount {
  if (process.getuid?.() !== 0) return { command: (file, args) => ({ file, args: [...args] }) };
  const ids = findIds(clusterDir);
  const blocked = needs.map((path) => findClosedFolder(path, ids)).find((path) => path !== undefined);
  if (blocked === undefined) return { ids, command: (file, args) => ({ file, args: [...args], ids }) };
  // A clone below /root (0700), say. The account then gets one capability in addition, the right to read: moving the
  // binaries and the data elsewhere would leave things behind, and opening the folder is not ours to do.
  const setpriv = setprivPaths.find((path) => existsSync(path));
  const capability = findReadCapability();
  if (setpriv === undefined || capability === undefined) {
    throw new AppError(
      'DATABASE_UNREACHABLE',
      `Cannot start embedded Postgres as root: the account that must run it (uid ${ids.uid}) cannot enter "${blocked}"; ` +
        'put the project and DATA_DIR where all may enter, run as another user, or set DATABASE_URL',
    );
  }
  const prefix = [
    `--reuid=${ids.uid}`,
    `--regid=${ids.gid}`,
    '--clear-groups',
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`,
  ];
  return { ids, command: (file, args) => ({ file: setpriv, args: [...prefix, file, ...args] }) };
}

function findIds(clusterDir: string): { uid: number; gid: number } {
  const owner = existsSync(clusterDir) ? statSync(clusterDir) : undefined;
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const account of accounts) {
    const entry = entries.find(([name]) => name === account);
    if (entry !== undefined && Number(entry[2]) > 0) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new AppError(
    'DATABASE_UNREACHABLE',
    `Cannot start embedded Postgres as root: it refuses to run as root and the system has no account ${accounts.join(' or ')}; run as another user, or set DATABASE_URL`,
  );
}

/** The first folder of the path that the account may not enter. */
function findClosedFolder(path: string, ids: { uid: number; gid: number }): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : findClosedFolder(parent, ids);
  if (above !== undefined) return above;
  const { mode, uid, gid } = statSync(path);
  const bit = uid === ids.uid ? 0o100 : gid === ids.gid ? 0o010 : 0o001;
  return (mode & bit) === 0 ? path : undefined;
}

/** Containers often hold back `dac_read_search` and leave the wider `dac_override`. */
function findReadCapability(): string | undefined {
  if (!existsSync('/proc/self/status')) return undefined;
  const hex = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  const bounding = BigInt(`0x${hex ?? '0'}`);
  if ((bounding & (1n << 2n)) !== 0n) return 'dac_read_search';
  return (bounding & (1n << 1n)) === 0n ? undefined : 'dac_override';
}
