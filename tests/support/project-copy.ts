/** A project folder of a test's own: plugins, their lock and their grants can be what the test needs. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { discoverPlugins } from '#core/plugin-host/manifest/discovery.ts';
import { createLockEntry, lockKey, writeLock } from '#core/plugin-host/lock/lock.ts';
import { requestedResources } from '#core/plugin-host/manifest/manifest.ts';

export const projectDir = resolve(import.meta.dirname, '../..');
const fixturePlugins = join(projectDir, 'tests/fixtures/platform');

export interface ProjectCopyOptions {
  /** Plugins of tests/fixtures/platform beside the project's own. */
  readonly fixtures?: readonly string[];
  /** Plugins whose requests are not granted. @default none */
  readonly ungranted?: readonly string[];
  /** Hosts that plugins ask for beside those of their manifests: a test's server has a port of its own. */
  readonly netHosts?: Readonly<Record<string, readonly string[]>>;
  /** A folder of plugins from outside, for `--plugin-path`: locked and granted too, where it is. */
  readonly external?: string;
  /** With the core and the command line, to be run as a program. @default false */
  readonly withCore?: boolean;
}

export interface ProjectCopy {
  readonly dir: string;
  remove(): Promise<void>;
}

/** Copies the plugins, locks them as they are and grants all that they ask for. */
export async function copyProject(options: ProjectCopyOptions = {}): Promise<ProjectCopy> {
  const dir = await mkdtemp(join(tmpdir(), 'returnit-project-'));
  const plugins = join(dir, 'plugins');
  await cp(join(projectDir, 'plugins'), plugins, { recursive: true });
  for (const name of options.fixtures ?? []) {
    await cp(join(fixturePlugins, name), join(plugins, name), { recursive: true });
  }
  for (const [name, hosts] of Object.entries(options.netHosts ?? {})) await askForHosts(join(plugins, name), hosts);
  const found = await discoverPlugins({
    folders: [
      { source: 'project', path: plugins },
      ...(options.external === undefined ? [] : [{ source: 'external', path: options.external } as const]),
    ],
  });
  const entries = await Promise.all(
    found.map(async (plugin) => [lockKey(plugin), await createLockEntry(plugin)] as const),
  );
  await writeLock(join(plugins, 'plugins.lock'), { version: 1, plugins: Object.fromEntries(entries) });
  const granted = found.filter(({ manifest }) => options.ungranted?.includes(manifest.name) !== true);
  const grants = Object.fromEntries(granted.map(({ manifest }) => [manifest.name, requestedResources(manifest)]));
  await writeFile(join(plugins, 'grants.json'), JSON.stringify({ grants }, null, 2));
  await symlink(join(projectDir, 'node_modules'), join(dir, 'node_modules'));
  if (options.withCore === true) {
    await cp(join(projectDir, 'core'), join(dir, 'core'), { recursive: true });
    await cp(join(projectDir, 'package.json'), join(dir, 'package.json'));
  }
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

async function askForHosts(folder: string, hosts: readonly string[]): Promise<void> {
  const path = join(folder, 'plugin.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as { permissions: { net: { hosts: string[] } } };
  manifest.permissions.net.hosts.push(...hosts);
  await writeFile(path, JSON.stringify(manifest));
}
