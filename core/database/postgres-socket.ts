/** The Unix socket by which alone the embedded Postgres is reached. */
import { createHash } from 'node:crypto';
import { chownSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '#core/errors/app-error.ts';
import { embeddedName, findCluster, type Cluster } from './postgres-cluster.ts';
import { readPostmasterFile } from './postmaster.ts';

export const socketPort = 5432;
export const socketName = `.s.PGSQL.${socketPort}`;
/** The kernel's limit of a socket's path is 108 bytes on Linux and 104 elsewhere, with the final zero. */
const socketPathMaxBytes = 103;

/** Superuser's, over the socket. */
export function toSocketUrl(options: {
  readonly password: string;
  readonly socketDir: string;
  readonly database: string;
}): string {
  const { password, socketDir, database } = options;
  return `postgres://${embeddedName}:${password}@${encodeURIComponent(socketDir)}:${socketPort}/${database}`;
}

/** The address of the server that a core has started on this folder; undefined while none takes connections. */
export function findEmbeddedUrl(dataDir: string): string | undefined {
  const cluster = findCluster(dataDir);
  if (cluster === undefined || readPostmasterFile(cluster.dir)?.ready !== true) return undefined;
  return toSocketUrl({ password: cluster.password, socketDir: socketDirOf(cluster.dir), database: embeddedName });
}

/** The cluster's folder itself is 0700; where its path is too long for a socket, a folder of its own in the temporary folder. */
function socketDirOf(clusterDir: string): string {
  if (Buffer.byteLength(join(clusterDir, socketName)) <= socketPathMaxBytes) return clusterDir;
  return join(tmpdir(), `returnit-${createHash('sha256').update(clusterDir).digest('hex').slice(0, 16)}`);
}

/** The folder of the socket, which nobody else can have made. @throws {AppError} DATABASE_UNREACHABLE */
export function openSocketDir(cluster: Cluster): string {
  const dir = socketDirOf(cluster.dir);
  if (dir === cluster.dir) return dir;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { ids } = cluster.account;
  const found = lstatSync(dir);
  // Somebody else may have made it before us, in order to answer in the place of Postgres.
  if (!found.isDirectory() || ![process.getuid?.(), ids?.uid].includes(found.uid) || (found.mode & 0o077) !== 0) {
    throw new AppError(
      'DATABASE_UNREACHABLE',
      `Cannot start embedded Postgres: "${dir}" belongs to another user; use a shorter DATA_DIR`,
    );
  }
  if (ids !== undefined) chownSync(dir, ids.uid, ids.gid);
  return dir;
}
