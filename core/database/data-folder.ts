import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '#core/errors/app-error.ts';

/** A data folder that this process holds alone. */
export interface DataFolder {
  /** Absolute. */
  readonly path: string;
  /** Idempotent. The kernel does the same when the process dies in any way. */
  release(): void;
}

/**
 * Creates the folder (0700) and holds it until `release()` or the end of the process.
 *
 * The lock is SQLite's exclusive lock of `core.lock`: an operating-system lock on an open file, which Node has no other
 * way to take. A pid file could not do this: after `kill -9` it stays, and its pid may belong to another process.
 *
 * @throws {AppError} DATA_DIR_IN_USE when another process holds it
 */
export function lockDataFolder(dir: string): DataFolder {
  const path = resolve(dir);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const file = join(path, 'core.lock');
  const pidFile = join(path, 'core.pid');
  let lock: DatabaseSync;
  try {
    lock = new DatabaseSync(file);
  } catch (error) {
    throw new AppError('DATA_DIR_IN_USE', `Cannot use data folder "${dir}": ${messageOf(error)}`, { cause: error });
  }
  try {
    lock.exec('pragma locking_mode=exclusive; begin exclusive');
  } catch (error) {
    lock.close();
    if (!messageOf(error).includes('locked')) {
      throw new AppError('DATA_DIR_IN_USE', `Cannot use data folder "${dir}": ${messageOf(error)}`, { cause: error });
    }
    throw new AppError(
      'DATA_DIR_IN_USE',
      `Cannot use data folder "${dir}": another core (pid ${readPid(pidFile)}) runs on it; stop it or set DATA_DIR`,
      { details: { dataDir: path } },
    );
  }
  chmodSync(file, 0o600);
  // Beside the lock, since nobody can read a file that SQLite holds exclusively: it only serves the message above.
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    path,
    release() {
      if (lock.isOpen) lock.close();
    },
  };
}

function readPid(pidFile: string): string {
  try {
    return readFileSync(pidFile, 'utf8').trim() || 'unknown';
  } catch {
    // The other core has the lock and has not written its pid yet.
    return 'unknown';
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
