import type { Command } from 'commander';
import { withFileLock } from '#core/plugin-host/file-lock.ts';
import { createLockEntry, lockKey, readLock, writeLock, type LockEntry } from '#core/plugin-host/lock/lock.ts';
import { requestDifference } from '#core/plugin-host/lock/lock-verify.ts';
import type { DiscoveredPlugin } from '#core/plugin-host/manifest/discovery.ts';
import {
  addPluginPathOption,
  findPlugin,
  findPlugins,
  lockPathOf,
  type PluginPathOptions,
  type PluginsCommandDeps,
} from './plugins-context.ts';

/** `returnit plugins lock [NAME…] [--json]`: writes the present state to plugins.lock, and prints what changed. */
export function registerPluginsLockCommand(plugins: Command, deps: PluginsCommandDeps): void {
  addPluginPathOption(plugins.command('lock'))
    .description('accept plugins as they are now: write version, files and requests to plugins.lock')
    .argument('[names...]', 'all plugins when there is none; entries of plugins that are gone are then removed')
    .option('--json', 'as JSON')
    .action(async (names: readonly string[], options: PluginPathOptions & { readonly json?: true }) => {
      const found = await selectPlugins(deps, options, names);
      const changes = await withFileLock(lockPathOf(deps), () => writeEntries(deps, found, names.length === 0));
      const text = changes
        .map(({ plugin, lines }) => [plugin, ...lines.map((line) => `  ${line}`)].join('\n'))
        .join('\n');
      deps.stdout.write(options.json === true ? `${JSON.stringify(changes, null, 2)}\n` : `${text}\n`);
    });
}

async function selectPlugins(
  deps: PluginsCommandDeps,
  options: PluginPathOptions,
  names: readonly string[],
): Promise<readonly DiscoveredPlugin[]> {
  if (names.length === 0) return findPlugins(deps, options);
  return Promise.all(names.map((name) => findPlugin(deps, options, name)));
}

interface LockChange {
  readonly plugin: string;
  readonly lines: readonly string[];
}

async function writeEntries(
  deps: PluginsCommandDeps,
  found: readonly DiscoveredPlugin[],
  all: boolean,
): Promise<readonly LockChange[]> {
  const lock = await readLock(lockPathOf(deps));
  const entries = await Promise.all(
    found.map(async (plugin) => [lockKey(plugin), await createLockEntry(plugin)] as const),
  );
  const changes = entries.map(([key, entry]) => ({
    plugin: `${key}@${entry.version}`,
    lines: describe(lock.plugins[key], entry),
  }));
  // External plugins are seen only while their path is given, so their entries stay.
  const kept = Object.entries(lock.plugins).filter(
    ([key]) => !all || key.startsWith('external/') || entries.some(([other]) => other === key),
  );
  const removed = Object.keys(lock.plugins).filter((key) => !kept.some(([other]) => other === key));
  await writeLock(lockPathOf(deps), {
    version: 1,
    plugins: { ...Object.fromEntries(kept), ...Object.fromEntries(entries) },
  });
  return [...changes, ...removed.map((key) => ({ plugin: key, lines: ['removed: there is no such plugin any more'] }))];
}

function describe(before: LockEntry | undefined, after: LockEntry): readonly string[] {
  const difference = requestDifference(before?.requested ?? {}, after.requested);
  if (before === undefined) return ['new', ...difference];
  if (before.tree === after.tree) return ['unchanged'];
  const version = before.version === after.version ? 'files changed' : `files changed since version ${before.version}`;
  return [version, ...difference];
}
