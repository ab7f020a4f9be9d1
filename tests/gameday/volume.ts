/** A volume for the data folder alone, where the machine lets us: in memory, as root. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mebibyte = 1_048_576;

function run(program: string, ...args: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? undefined : `${program}: ${error?.message ?? stderr.trim()}`;
}

/** Why there can be none, or false. */
export function skipWithoutVolumes(): string | false {
  const folder = mkdtempSync(join(tmpdir(), 'returnit-volume-'));
  try {
    mountVolume(folder, mebibyte)();
    return false;
  } catch {
    return 'it needs to mount a volume';
  } finally {
    rmdirSync(folder);
  }
}

/** @returns what takes it away, when nobody uses it any more */
export function mountVolume(folder: string, bytes: number): () => void {
  const refused = run('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=0755`, 'returnit', folder);
  if (refused !== undefined) throw new Error(`Cannot mount a volume: ${refused}`);
  return () => {
    const kept = run('umount', folder);
    if (kept !== undefined) throw new Error(`Cannot take a volume away: ${kept}`);
  };
}
