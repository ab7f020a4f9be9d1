import { mkdir, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '#core/errors/app-error.ts';

const waitMaxMs = 5000;
const retryMs = 20;

/**
 * Runs `work` while no other process does so for the same path: two `returnit plugins grant` at once would otherwise
 * lose one's change. The lock is a file with the holder's process id beside the path; one left by a dead process is taken over.
 *
 * @throws {AppError} OVERLOADED when the other process does not finish within 5 s
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lockPath = `${path}.lock`;
  await mkdir(dirname(path), { recursive: true });
  const handle = await acquire(lockPath);
  try {
    return await work();
  } finally {
    await handle.close();
    await rm(lockPath, { force: true });
  }
}

async function acquire(lockPath: string): Promise<FileHandle> {
  const deadline = Date.now() + waitMaxMs;
  for (;;) {
    try {
      const handle = await open(lockPath, 'wx');
      await handle.writeFile(String(process.pid));
      return handle;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await isAbandoned(lockPath)) await rm(lockPath, { force: true });
    else if (Date.now() > deadline)
      throw new AppError('OVERLOADED', `Cannot change the file: another process holds ${lockPath}`);
    else await delay(retryMs);
  }
}

/**
 * Two that take over from a dead process in the same instant may both go on; the file is written atomically, so even
 * then one of the two changes is whole. An empty file is one whose holder has not yet written its id; it is waited for.
 */
async function isAbandoned(lockPath: string): Promise<boolean> {
  const holder = Number(await readFile(lockPath, 'utf8').catch(() => '')); // gone meanwhile: tried again
  if (!Number.isInteger(holder) || holder <= 0) return false;
  try {
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
