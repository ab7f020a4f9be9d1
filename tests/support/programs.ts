/** Programs that some tests need beside the project. A missing one skips them, except where CI=true: there it fails. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const extraFolders = ['/usr/sbin', '/usr/local/bin', '/usr/lib/postgresql/15/bin'];

/** The path of a program; its name alone when it is not installed. */
export function findProgram(name: string): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...extraFolders];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? name;
}

/** Why tests that need these programs are skipped, or false. */
export function skipWithout(programs: readonly string[], packages: string): string | false {
  const missing = programs.filter((name) => findProgram(name) === name);
  if (missing.length === 0 || process.env['CI'] === 'true') return false;
  return `${missing.join(', ')} not installed (apt-get install ${packages})`;
}
