/** The journal of the shipped Mosquitto: it is in C, and built here from its sources, once for each version of them. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipWithout } from '../../support/programs.ts';
import { projectDir } from '../../support/project-copy.ts';

const folder = join(projectDir, 'deploy/mosquitto/journal');
const headers = ['mosquitto_broker.h', 'mosquitto_plugin.h', 'mosquitto.h', 'stdio.h'];
const packages = 'gcc libc6-dev mosquitto-dev libmosquitto-dev';

function missingHeaders(): string | false {
  const missing = headers.filter((name) => !existsSync(join('/usr/include', name)));
  if (missing.length === 0 || process.env['CI'] === 'true') return false;
  return `${missing.join(', ')} not installed (apt-get install ${packages})`;
}

/** Why tests with the journal are skipped, or false. Where CI=true they are not: there the build fails. */
export const skipWithoutJournal = skipWithout(['cc'], packages) || missingHeaders();

/** @returns the plugin's path */
export function buildJournal(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).toSorted()) hash.update(readFileSync(join(folder, name)));
  const built = join(tmpdir(), `returnit-journal-${hash.digest('hex').slice(0, 16)}.so`);
  if (existsSync(built)) return built;
  // Files of tests run at once: each builds its own, and the last one's stays.
  const own = `${built}.${process.pid}`;
  const { status, stderr, error } = spawnSync('sh', [join(folder, 'build.sh'), own], { encoding: 'utf8' });
  if (status !== 0) {
    const reason = error?.message ?? stderr;
    throw new Error(`Cannot build the journal of Mosquitto (apt-get install ${packages}): ${reason}`);
  }
  renameSync(own, built);
  return built;
}
