import { existsSync, type StatsFs } from 'node:fs';
import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { thresholds as t } from '#core/config/thresholds.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

const gibibyte = 2 ** 30;
/** Others may pass through it, as Postgres' own account must, and not read it. */
const readableByOthers = 0o066;

/** What there is and what is free of the volume that a path is on. */
type Measure = (path: string) => Promise<Pick<StatsFs, 'bavail' | 'blocks' | 'bsize'>>;

/** Where the embedded database, keys, audit and logs are. */
export async function checkDataFolder(dataDir: string, measure: Measure = statfs): Promise<readonly Finding[]> {
  const folder = resolve(dataDir);
  if (!existsSync(folder)) {
    return [
      ok('data folder', `${folder} is not there yet: the first start makes it`),
      await checkDisk(folder, measure),
    ];
  }
  return [await checkAccess(folder), await checkDisk(folder, measure)];
}

async function checkAccess(folder: string): Promise<Finding> {
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    return failed(
      'data folder',
      `${folder} cannot be written by this user`,
      'Start as its owner, give it to this user, or set DATA_DIR to another folder.',
    );
  }
  const { mode } = await stat(folder);
  if ((mode & readableByOthers) === 0) return ok('data folder', `${folder} is read by its owner alone`);
  return warning('data folder', `${folder} can be read by others, and holds keys`, `chmod go-rw "${folder}"`);
}

async function checkDisk(folder: string, measure: Measure): Promise<Finding> {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, blocks, bsize } = await measure(existing);
  const share = bavail / blocks;
  const says = `${((bavail * bsize) / gibibyte).toFixed(1)} GiB free, ${(100 * share).toFixed(0)} % of the disk`;
  const todo = 'Free space: logs, traces, backups. The embedded database and the broker stop when there is none.';
  if (share < t.diskCritical.value) return failed('disk', says, todo);
  return share < t.disk.value ? warning('disk', says, todo) : ok('disk', says);
}
