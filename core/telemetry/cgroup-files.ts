import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What a limited process may not have: a file that is not there, or not for us. */
const absent = new Set(['ENOENT', 'EACCES', 'ENOTDIR', 'EPERM', 'EOPNOTSUPP', 'ENODEV']);

export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (absent.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** A file that holds one number; `max` is Infinity. */
export async function readNumber(path: string): Promise<number | undefined> {
  const text = (await readText(path))?.trim();
  if (text === undefined || text === '') return undefined;
  return text === 'max' ? Infinity : Number(text);
}

/** A file of lines `name number`. */
export async function readTable(path: string): Promise<ReadonlyMap<string, number>> {
  const lines = ((await readText(path)) ?? '').split('\n').map((line) => line.split(' '));
  return new Map(lines.filter((line) => line.length === 2).map(([name = '', value]) => [name, Number(value)]));
}

/**
 * The folders of a process' cgroup, innermost first, up to the mount: any of them may hold a limit.
 * In a container without its own cgroup namespace the path is the host's and does not exist below the mount: then the mount
 * itself is the container's.
 */
export async function cgroupFolders(mount: string, path: string, probe: string): Promise<readonly string[]> {
  const folders: string[] = [];
  for (let current = join('/', path); current !== '/'; current = dirname(current)) folders.push(join(mount, current));
  folders.push(mount);
  const present = await Promise.all(folders.map(async (folder) => (await readText(join(folder, probe))) !== undefined));
  return folders.filter((_, index) => present[index]);
}
