import { closeSync, fstatSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import pino from 'pino';
import { AppError } from '#core/errors/app-error.ts';

export interface LogFileOptions {
  readonly path: string;
  /** A larger file is renamed to `<path>.1`, in place of the one before, and a new one is begun. */
  readonly maxBytes: number;
  /** Lines of this many bytes wait for a slow disk; more are dropped. */
  readonly bufferMaxBytes: number;
  readonly onDropped: () => void;
  /** The file cannot be written or renamed: told once, until a write has worked again. */
  readonly onError: (error: Error) => void;
}

/**
 * Where log lines go when nobody collects standard output: at most twice `maxBytes` on disk, whatever happens.
 *
 * @throws {AppError} INVALID_CONFIG when the file cannot be written
 */
export function createLogFile(options: LogFileOptions): pino.DestinationStream {
  const { path, maxBytes } = options;
  let bytes = probe(path);
  let failing = false;
  const destination = pino.destination({ dest: path, sync: false, mode: fileMode, maxLength: options.bufferMaxBytes });

  function fail(error: Error): void {
    if (!failing) options.onError(error);
    failing = true;
  }

  function rotate(): void {
    // Counted from zero even when the renaming fails: it is tried again one file later, not with every line.
    bytes = 0;
    try {
      renameSync(path, `${path}.1`);
      destination.reopen();
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  destination.on('drop', options.onDropped);
  destination.on('error', fail);
  destination.on('write', (written: number) => {
    failing = false;
    bytes += written;
    if (bytes >= maxBytes) rotate();
  });
  return destination;
}

/** Names of customers and drivers may stand in it. */
const fileMode = 0o600;

/** The size so far; fails before anything is started when the file cannot be written. */
function probe(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(path, 'a', fileMode);
    try {
      return fstatSync(fd).size;
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('INVALID_CONFIG', `Cannot write the log file "${path}": ${reason}`, { cause });
  }
}
