/**
 * `plugins/plugins.lock`: what each plugin was when the operator last looked at it. One entry a plugin:
 * - `tree`: SHA-256 of all files of its folder but `node_modules` and `.git` (see plugin-files.ts);
 * - `requested` and `permissions`: what it asked for, and the hash of that.
 * A plugin that asks for more than that is held. One from a `--plugin-path` has the key `external/<name>`, so that it
 * cannot take the place of one of the project's own.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Type, type TOptional } from 'typebox';
import { AppError } from '#core/errors/app-error.ts';
import { writeFileAtomic } from '../atomic-file.ts';
import type { DiscoveredPlugin } from '../manifest/discovery.ts';
import { createDocumentCheck } from '../manifest/document-check.ts';
import { requestedResources } from '../manifest/manifest.ts';
import { permissionNames, type GrantablePermission } from '../permissions/permission-names.ts';
import { hashPluginTree } from '../manifest/plugin-files.ts';

export type RequestedLists = Readonly<Partial<Record<GrantablePermission, readonly string[]>>>;

export interface LockEntry {
  readonly version: string;
  readonly tree: string;
  readonly permissions: string;
  readonly requested: RequestedLists;
}

export interface Lock {
  readonly version: 1;
  readonly plugins: Readonly<Record<string, LockEntry>>;
}

export const emptyLock: Lock = { version: 1, plugins: {} };

const closed = { additionalProperties: false } as const;
const hash = Type.String({ pattern: '^sha256-[0-9a-f]{64}$', description: '"sha256-" and 64 hexadecimal digits' });

const requestedSchema = Object.fromEntries(
  permissionNames.map((name) => [name, Type.Optional(Type.Array(Type.String()))]),
) as unknown as Record<GrantablePermission, TOptional>;

const LockSchema = Type.Object(
  {
    version: Type.Literal(1),
    plugins: Type.Record(
      Type.String(),
      Type.Object(
        { version: Type.String(), tree: hash, permissions: hash, requested: Type.Object(requestedSchema, closed) },
        closed,
      ),
    ),
  },
  closed,
);

const checkLock = createDocumentCheck<Lock>({
  schema: LockSchema,
  code: 'LOCK_MISMATCH',
  meaning: ({ plugins }) =>
    Object.entries(plugins)
      .filter(([, entry]) => hashRequested(entry.requested) !== entry.permissions)
      .map(([key]) => ({
        path: ['plugins', key, 'permissions'],
        message: `must be the hash of "requested": it was edited by hand`,
      })),
});

/** Hash of what is asked for, whatever the order it is written in. */
export function hashRequested(requested: RequestedLists): string {
  const lines = permissionNames.flatMap((name) => (requested[name] ?? []).map((resource) => `${name} ${resource}`));
  return `sha256-${createHash('sha256').update(lines.toSorted().join('\n')).digest('hex')}`;
}

export function lockKey(plugin: Pick<DiscoveredPlugin, 'source' | 'manifest'>): string {
  return plugin.source === 'project' ? plugin.manifest.name : `external/${plugin.manifest.name}`;
}

/** @throws {AppError} INVALID_MANIFEST when the folder cannot be read as a plugin's */
export async function createLockEntry(plugin: DiscoveredPlugin): Promise<LockEntry> {
  const requested = requestedResources(plugin.manifest);
  return {
    version: plugin.manifest.version,
    tree: await hashPluginTree(plugin.folder),
    permissions: hashRequested(requested),
    requested,
  };
}

/** @throws {AppError} LOCK_MISMATCH with every problem of the file */
export function parseLock(text: string, file: string): Lock {
  return checkLock(text, file).value;
}

/** An absent file is an empty lock. */
export async function readLock(path: string, file: string = path): Promise<Lock> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new AppError('LOCK_MISMATCH', `Cannot read ${file}: ${error.message}`, { cause: error });
  });
  return text === undefined ? emptyLock : parseLock(text, file);
}

/** Entries sorted by key, so that a change of one plugin is a change of a few lines. */
export async function writeLock(path: string, lock: Lock): Promise<void> {
  const plugins = Object.fromEntries(Object.entries(lock.plugins).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  await writeFileAtomic(path, `${JSON.stringify({ version: lock.version, plugins }, null, 2)}\n`);
}
