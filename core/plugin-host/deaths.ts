import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#core/errors/app-error.ts';
import type { Death } from './supervisor/death.ts';

/** A death as it is kept, one JSON file each. */
export interface DeathRecord extends Omit<Death, 'plugin' | 'at' | 'profile'> {
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly plugin: string;
  readonly version: string;
  /** Path of the CPU profile beside the record (`.cpuprofile`, opens in Chromium's DevTools); null without one. */
  readonly profile: string | null;
}

export interface DeathStore {
  /** Keeps the newest `keptMax` of each plugin. */
  record(death: Death): Promise<DeathRecord>;
}

const pluginPattern = /^[a-z][a-z0-9-]{0,39}$/;

/** Death records as files: `<dataDir>/deaths/<plugin>/<time>-<id>.json`. */
export function createDeathStore(options: { readonly dataDir: string; readonly keptMax: number }): DeathStore {
  async function prune(plugin: string): Promise<void> {
    const names = await recordNames(options.dataDir, plugin);
    for (const name of names.slice(0, -options.keptMax)) {
      const path = join(folderOf(options.dataDir, plugin), name);
      await rm(path, { force: true });
      await rm(path.replace(/\.json$/, '.cpuprofile'), { force: true });
    }
  }

  return {
    async record({ plugin, at, profile, ...death }) {
      const folder = folderOf(options.dataDir, plugin.name);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const id = randomUUID().slice(0, 8);
      const base = join(folder, `${at.replaceAll(':', '-')}-${id}`);
      const profilePath = profile === null ? null : `${base}.cpuprofile`;
      if (profilePath !== null && profile !== null) await writeFile(profilePath, profile);
      const subject = { id, time: at, plugin: plugin.name, version: plugin.version };
      const record: DeathRecord = { ...subject, ...death, profile: profilePath };
      // Renamed into place, so that a reader never sees half a record.
      await writeFile(`${base}.tmp`, `${JSON.stringify(record, null, 2)}\n`);
      await rename(`${base}.tmp`, `${base}.json`);
      await prune(plugin.name);
      return record;
    },
  };
}

/** Newest last; empty for a plugin that has not died. */
export async function listDeaths(dataDir: string, plugin: string): Promise<readonly DeathRecord[]> {
  const names = await recordNames(dataDir, plugin);
  return Promise.all(names.map((name) => load(dataDir, plugin, name)));
}

/** @throws {AppError} NOT_FOUND */
export async function readDeath(dataDir: string, plugin: string, id: string): Promise<DeathRecord> {
  const name = (await recordNames(dataDir, plugin)).find((candidate) => candidate.endsWith(`-${id}.json`));
  if (name !== undefined) return load(dataDir, plugin, name);
  throw new AppError('NOT_FOUND', `Cannot find death "${id}" of ${plugin}: there is no such record`);
}

async function load(dataDir: string, plugin: string, name: string): Promise<DeathRecord> {
  return JSON.parse(await readFile(join(folderOf(dataDir, plugin), name), 'utf8')) as DeathRecord;
}

async function recordNames(dataDir: string, plugin: string): Promise<string[]> {
  try {
    return (await readdir(folderOf(dataDir, plugin))).filter((name) => name.endsWith('.json')).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function folderOf(dataDir: string, plugin: string): string {
  if (!pluginPattern.test(plugin)) {
    throw new AppError('PLUGIN_UNKNOWN', `Cannot find deaths of "${plugin.slice(0, 80)}": it is no plugin name`);
  }
  return join(dataDir, 'deaths', plugin);
}
