/**
 * The append-only files of one writer: `<stream>-000001.ndjson` and on. A record is in the operating system's hands when
 * append() returns, so it survives the death of this process; it is made durable on the disk right after (`sync`).
 *
 * Files are never deleted: that is the operator's decision. A new one is begun when one is full; old ones may be moved
 * away as whole files, from the oldest on, and the chain of hashes then begins with the oldest that is left.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { firstHash, hashLine, parseAuditLine, type AuditEntry, type AuditRecord } from './audit-record.ts';

/** `core`: the running platform. `operator`: commands, which may run beside it. Each has its own chain. */
export type AuditStream = 'core' | 'operator';

export interface AuditLogOptions {
  readonly dir: string;
  readonly stream: AuditStream;
  readonly fileMaxBytes: number;
  readonly now: () => number;
  /** Told when the newest file on disk could not be made durable. */
  readonly onSyncError: (error: Error) => void;
}

export interface AuditLog {
  /** @throws when the record cannot be written; the next append repairs what is left of it */
  append(entry: AuditEntry): AuditRecord;
  stop(): void;
}

interface OpenFile {
  readonly fd: number;
  readonly number: number;
  bytes: number;
  seq: number;
  lastHash: string;
}

/** Names of a stream's files, oldest first. */
export function auditFiles(dir: string, stream: AuditStream): readonly string[] {
  const name = new RegExp(`^${stream}-\\d{6,}\\.ndjson$`);
  try {
    return readdirSync(dir)
      .filter((file) => name.test(file))
      .toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export function openAuditLog(options: AuditLogOptions): AuditLog {
  let file: OpenFile | undefined = openNewest(options);
  let syncing = false;

  function sync(fd: number): void {
    if (syncing) return;
    syncing = true;
    fdatasync(fd, (error) => {
      syncing = false;
      // A file that was closed meanwhile was synced as it was closed.
      if (error !== null && error.code !== 'EBADF') options.onSyncError(error);
    });
  }

  return {
    append(entry) {
      file ??= openNewest(options);
      if (file.bytes >= options.fileMaxBytes) file = rotate(file, options);
      try {
        const record = write(file, entry);
        sync(file.fd);
        return record;
      } catch (error) {
        closeSync(file.fd);
        file = undefined;
        throw error;
      }
    },
    stop() {
      if (file === undefined) return;
      fdatasyncSync(file.fd);
      closeSync(file.fd);
      file = undefined;
    },
  };
}

function write(file: OpenFile, entry: AuditEntry): AuditRecord {
  const record: AuditRecord = { v: 1, seq: file.seq + 1, ...entry, prevHash: file.lastHash };
  const line = JSON.stringify(record);
  const bytes = Buffer.from(`${line}\n`);
  const written = writeSync(file.fd, bytes);
  if (written !== bytes.length)
    throw new Error(`Cannot write the audit record: ${written} of ${bytes.length} bytes were taken`);
  file.bytes += bytes.length;
  file.seq = record.seq;
  file.lastHash = hashLine(line);
  return record;
}

function fileName(stream: AuditStream, number: number): string {
  return `${stream}-${String(number).padStart(6, '0')}.ndjson`;
}

function openFile(options: AuditLogOptions, number: number): number {
  return openSync(join(options.dir, fileName(options.stream, number)), 'a+', 0o600);
}

function rotate(file: OpenFile, options: AuditLogOptions): OpenFile {
  const fd = openFile(options, file.number + 1);
  fdatasyncSync(file.fd);
  closeSync(file.fd);
  return { fd, number: file.number + 1, bytes: 0, seq: file.seq, lastHash: file.lastHash };
}

function openNewest(options: AuditLogOptions): OpenFile {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const newest = auditFiles(options.dir, options.stream).at(-1);
  const number = newest === undefined ? 1 : Number(/\d+/.exec(newest)?.[0]);
  const fd = openFile(options, number);
  const tail = readTail(fd);
  // An empty newest file follows a full one: its chain begins with the last line of that.
  const previous = tail.lines.length === 0 && number > 1 ? readTailOf(options, number - 1) : tail;
  const last = previous.lines.at(-1);
  const lastRecord = previous.lines.map(parseAuditLine).findLast((record) => record !== undefined);
  const file: OpenFile = {
    fd,
    number,
    bytes: tail.bytes,
    seq: lastRecord?.seq ?? 0,
    lastHash: last === undefined ? firstHash : hashLine(last),
  };
  if (tail.lines.length > 0) repair(file, tail, options.now());
  return file;
}

/** Closes a line that a crash left open. What it holds stays, as evidence; a record says that it is not a whole one. */
function repair(file: OpenFile, tail: Tail, nowMs: number): void {
  const last = tail.lines.at(-1);
  if (!tail.closed) {
    writeSync(file.fd, '\n');
    file.bytes += 1;
  }
  if (last === undefined || parseAuditLine(last) !== undefined) return;
  const rule = `the line before is torn: ${last.length} bytes of a record that was being written when the process ended`;
  const core = { plugin: 'core', version: '', permission: '', resource: '' };
  write(file, { time: new Date(nowMs).toISOString(), ...core, decision: 'repair', rule, source: 'audit' });
}

interface Tail {
  readonly bytes: number;
  /** The last lines, the last one perhaps torn. */
  readonly lines: readonly Buffer[];
  /** The file ends with a line end. */
  readonly closed: boolean;
}

/** More than any two records have. */
const tailBytes = 65_536;

function readTailOf(options: AuditLogOptions, number: number): Tail {
  const fd = openFile(options, number);
  try {
    return readTail(fd);
  } finally {
    closeSync(fd);
  }
}

function readTail(fd: number): Tail {
  const { size } = fstatSync(fd);
  const buffer = Buffer.alloc(Math.min(size, tailBytes));
  readSync(fd, buffer, 0, buffer.length, size - buffer.length);
  const lines = splitLines(buffer);
  // The first piece is the end of a line unless the whole file was read.
  return { bytes: size, lines: size > tailBytes ? lines.slice(1) : lines, closed: size === 0 || buffer.at(-1) === 10 };
}

export function splitLines(buffer: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  while (start < buffer.length) {
    const end = buffer.indexOf(10, start);
    lines.push(buffer.subarray(start, end === -1 ? buffer.length : end));
    start = end === -1 ? buffer.length : end + 1;
  }
  return lines;
}
