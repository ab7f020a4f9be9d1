import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { AppError } from '#core/errors/app-error.ts';

/** Dependencies are pinned by package-lock.json, and .git is not code. Everything else in the folder counts, README included. */
const ignoredFolders = new Set(['node_modules', '.git']);
const filesMax = 5000;
const totalMaxBytes = 67_108_864;

interface PluginFile {
  /** Relative to the plugin's folder, with `/`. */
  readonly path: string;
  readonly bytes: number;
}

/**
 * The files of a plugin's folder, sorted by path.
 *
 * @throws {AppError} INVALID_MANIFEST when a link leads out of the folder, something is no file, or there is too much of it
 */
export async function listPluginFiles(folder: string): Promise<readonly PluginFile[]> {
  const root = await realpath(folder);
  const files: PluginFile[] = [];
  let totalBytes = 0;
  const walk = async (directory: string): Promise<void> => {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.isDirectory() && ignoredFolders.has(entry.name)) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) await walk(path);
      else files.push({ path: relative(root, path).split(sep).join('/'), bytes: await sizeOf(path, root) });
      totalBytes += files.at(-1)?.bytes ?? 0;
      if (files.length > filesMax) throw refused(folder, `it has more than ${filesMax} files`);
      if (totalBytes > totalMaxBytes) throw refused(folder, `its files have more than ${totalMaxBytes} bytes`);
    }
  };
  await walk(root);
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function sizeOf(path: string, root: string): Promise<number> {
  const target = await realpath(path).catch((cause: unknown) => {
    throw refused(root, `${relative(root, path)} is a link that leads nowhere`, cause);
  });
  if (!target.startsWith(root + sep))
    throw refused(root, `${relative(root, path)} is a link out of the folder, to ${target}`);
  const stats = await lstat(target);
  if (!stats.isFile()) throw refused(root, `${relative(root, path)} is neither a file nor a folder`);
  return stats.size;
}

function refused(folder: string, reason: string, cause?: unknown): AppError {
  return new AppError('INVALID_MANIFEST', `Cannot use the plugin folder ${folder}: ${reason}`, { cause });
}

/**
 * SHA-256 over the sorted files: for each its path, its size and its content, with lengths so that no two trees read the same.
 *
 * @throws {AppError} INVALID_MANIFEST as listPluginFiles does
 */
export async function hashPluginTree(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const { path } of await listPluginFiles(folder)) {
    const content = await readFile(join(folder, path));
    hash.update(`${Buffer.byteLength(path)}:${path}:${content.length}:`).update(content);
  }
  return `sha256-${hash.digest('hex')}`;
}
