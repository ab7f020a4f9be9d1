import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { auditFiles, splitLines, type AuditStream } from './audit-log.ts';
import { hashLine, parseAuditLine, type AuditRecord } from './audit-record.ts';

const streams: readonly AuditStream[] = ['core', 'operator'];

export interface ReadAuditOptions {
  readonly dir: string;
  readonly plugin?: string;
  /** @default 100 */
  readonly limit?: number;
}

/** The newest records, oldest first, of the platform and of commands. Torn lines are left out. */
export async function readAudit(options: ReadAuditOptions): Promise<readonly AuditRecord[]> {
  const { dir, plugin, limit = 100 } = options;
  const newest = await Promise.all(streams.map((stream) => readStream({ dir, stream, plugin, limit })));
  return newest
    .flat()
    .toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time))
    .slice(-limit);
}

interface ReadStreamOptions {
  readonly dir: string;
  readonly stream: AuditStream;
  readonly plugin: string | undefined;
  readonly limit: number;
}

/** From the newest file back, until there are enough. */
async function readStream({ dir, stream, plugin, limit }: ReadStreamOptions): Promise<readonly AuditRecord[]> {
  let records: readonly AuditRecord[] = [];
  for (const file of auditFiles(dir, stream).toReversed()) {
    const lines = splitLines(await readFile(join(dir, file)));
    const found = lines
      .flatMap((line) => parseAuditLine(line) ?? [])
      .filter((record) => plugin === undefined || record.plugin === plugin);
    records = [...found, ...records].slice(-limit);
    if (records.length >= limit) break;
  }
  return records;
}

export interface AuditProblem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export interface AuditVerification {
  readonly records: number;
  /** Torn lines that a `repair` record explains. */
  readonly repaired: number;
  readonly problems: readonly AuditProblem[];
}

/**
 * Follows the chain of hashes through all files. It shows a changed, removed or inserted line; lines cut off at the very
 * end, and a chain that was rewritten as a whole, show only in comparison with a copy kept elsewhere.
 */
export async function verifyAudit(options: { readonly dir: string }): Promise<AuditVerification> {
  const results = await Promise.all(streams.map((stream) => verifyStream(options.dir, stream)));
  return {
    records: results.reduce((sum, result) => sum + result.records, 0),
    repaired: results.reduce((sum, result) => sum + result.repaired, 0),
    problems: results.flatMap((result) => result.problems),
  };
}

async function verifyStream(dir: string, stream: AuditStream): Promise<AuditVerification> {
  const problems: AuditProblem[] = [];
  let records = 0;
  let repaired = 0;
  let lastHash: string | undefined;
  let torn: Omit<AuditProblem, 'message'> | undefined;
  for (const file of auditFiles(dir, stream)) {
    for (const [index, line] of splitLines(await readFile(join(dir, file))).entries()) {
      const at = { file, line: index + 1 };
      const record = parseAuditLine(line);
      if (torn !== undefined && record?.decision !== 'repair')
        problems.push({ ...torn, message: 'is no whole record' });
      if (torn !== undefined && record?.decision === 'repair') repaired += 1;
      torn = record === undefined ? at : undefined;
      if (record !== undefined) {
        records += 1;
        if (lastHash !== undefined && record.prevHash !== lastHash) {
          problems.push({
            ...at,
            message: 'does not follow the line before: that one was changed, or lines between them are missing',
          });
        }
      }
      lastHash = hashLine(line);
    }
  }
  if (torn !== undefined) problems.push({ ...torn, message: 'is no whole record' });
  return { records, repaired, problems };
}
