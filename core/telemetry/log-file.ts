import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DestinationStream } from 'pino';
import { AppError } from '#core/errors/app-error.ts';

export interface LogFileOptions {
  readonly path: string;
  /** A larger file is renamed to `<path>.1`, in place of the one before, and a new one is begun. */
  readonly maxBytes: number;
  /** A line could not be written. */
  readonly onDropped: () => void;
  /** The file cannot be written or renamed: told once, until it has worked again. */
  readonly onError: (error: Error) => void;
}

export interface LogFile extends DestinationStream {
  /** A later line opens it again. */
  close(): void;
}

/** Names of customers and drivers may stand in it. */
const fileMode = 0o600;

/**
 * Where log lines go when nobody collects standard output: at most twice `maxBytes` on disk. A line is in the operating
 * system's hands when it is logged, so the last ones before a death are there.
 *
 * @throws {AppError} INVALID_CONFIG when the file cannot be written
 */
export function createLogFile(options: LogFileOptions): LogFile {
  const { path, maxBytes } = options;
  let file: { readonly fd: number; bytes: number } | undefined = openFirst(path);
  let failing = false;
  /** The last line could not be written. */
  let lost = false;

  function fail(error: unknown): void {
    if (!failing) options.onError(error instanceof Error ? error : new Error(String(error)));
    failing = true;
  }

  function rotate(full: { readonly fd: number; bytes: number }): { readonly fd: number; bytes: number } {
    try {
      renameSync(path, `${path}.1`);
    } catch (error) {
      fail(error);
      // Tried again when as much has been written once more, not with every line.
      full.bytes = 0;
      return full;
    }
    close();
    failing = false;
    return openFile(path);
  }

  function close(): void {
    if (file === undefined) return;
    closeSync(file.fd);
    file = undefined;
  }

  return {
    write(line) {
      try {
        file ??= openFile(path);
        if (file.bytes >= maxBytes) file = rotate(file);
        file.bytes += writeSync(file.fd, line);
        if (lost) [lost, failing] = [false, false];
      } catch (error) {
        options.onDropped();
        fail(error);
        lost = true;
      }
    },
    close,
  };
}

function openFile(path: string): { readonly fd: number; bytes: number } {
  const fd = openSync(path, 'a', fileMode);
  return { fd, bytes: fstatSync(fd).size };
}

function openFirst(path: string): { readonly fd: number; bytes: number } {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('INVALID_CONFIG', `Cannot write the log file "${path}": ${reason}`, { cause });
  }
}
