import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#core/errors/app-error.ts';

export interface Migration {
  readonly version: number;
  /** `create_order` of `0001_create_order.sql`. */
  readonly name: string;
  readonly file: string;
  readonly sql: string;
  /** SHA-256 of the text with Unix line ends, in hex. */
  readonly checksum: string;
}

export interface AppliedMigration {
  readonly version: number;
  readonly checksum: string;
}

const filePattern = /^(\d{4})_([a-z][a-z0-9_]*)\.sql$/;

export interface ReadMigrationsOptions {
  /** The core's are numbered by area (outbox from 10, credentials from 20), so that two areas never take one number. @default false */
  readonly gaps?: boolean;
}

/**
 * The migrations of a folder in order; none when the folder does not exist.
 *
 * @throws {AppError} MIGRATION_FAILED for a name that does not fit, a duplicate number or a gap
 */
export async function readMigrations(
  dir: string,
  { gaps = false }: ReadMigrationsOptions = {},
): Promise<readonly Migration[]> {
  if (!existsSync(dir)) return [];
  const files = (await readdir(dir)).filter((file) => !file.startsWith('.')).toSorted();
  const migrations: Migration[] = [];
  for (const file of files) {
    const path = join(dir, file);
    const match = filePattern.exec(file);
    if (match === null) {
      throw refuse(
        path,
        'its name must be four digits, an underscore and a name in snake_case, such as 0001_create_order.sql',
      );
    }
    const version = Number(match[1]);
    const expected = (migrations.at(-1)?.version ?? 0) + 1;
    if (version < expected)
      throw refuse(path, `number ${match[1]} is used twice, also by "${migrations.at(-1)?.file}"`);
    if (version > expected && !gaps)
      throw refuse(path, `the number before it is missing: ${String(expected).padStart(4, '0')} was expected`);
    // A clone on another system may have other line ends: the same migration all the same.
    const sql = (await readFile(path, 'utf8')).replaceAll('\r\n', '\n');
    migrations.push({
      version,
      name: match[2] ?? '',
      file: path,
      sql,
      checksum: createHash('sha256').update(sql).digest('hex'),
    });
  }
  return migrations;
}

/**
 * Those that are still to be run.
 *
 * @throws {AppError} MIGRATION_FAILED when an applied one was changed. One that is applied and has no file is a newer
 * release's: that is allowed, since nodes of two releases run side by side while one replaces the other
 */
export function findPending(
  migrations: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  const checksums = new Map(applied.map(({ version, checksum }) => [version, checksum]));
  for (const migration of migrations) {
    const checksum = checksums.get(migration.version);
    if (checksum !== undefined && checksum !== migration.checksum) {
      throw refuse(migration.file, 'it was changed after it was applied; restore it and write a new one');
    }
  }
  return migrations.filter(({ version }) => !checksums.has(version));
}

function refuse(file: string, reason: string): AppError {
  return new AppError('MIGRATION_FAILED', `Cannot use migration "${file}": ${reason}`, { details: { file } });
}

/** Postgres counts characters of the whole text from 1. */
export function toMigrationError(migration: Migration, error: unknown): AppError {
  const { message, position, code } = error as { message?: string; position?: string; code?: string };
  let where = '';
  if (position !== undefined) {
    // Postgres counts code points, JavaScript's strings UTF-16 units.
    const before = Array.from(migration.sql)
      .slice(0, Number(position) - 1)
      .join('')
      .split('\n');
    where = ` (line ${before.length}, column ${(before.at(-1) ?? '').length + 1})`;
  }
  return new AppError(
    'MIGRATION_FAILED',
    `Cannot apply migration "${migration.file}"${where}: ${message ?? String(error)}`,
    {
      details: { file: migration.file, ...(code === undefined ? {} : { sqlstate: code }) },
      cause: error,
    },
  );
}
