import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../atomic-file.ts';
import { withFileLock } from '../file-lock.ts';
import { changeGrants, emptyGrantsText, type GrantChange } from './grants-edit.ts';

/**
 * Makes the change in grants.json: all of it or nothing, one process at a time, the rest of the file untouched.
 *
 * @throws {AppError} INVALID_GRANTS
 */
export async function writeGrantChange(path: string, change: GrantChange): Promise<void> {
  await withFileLock(path, async () => {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return emptyGrantsText;
      throw error;
    });
    const changed = changeGrants(text, change, path);
    if (changed !== text) await writeFileAtomic(path, changed);
  });
}
