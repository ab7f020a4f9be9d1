import { join } from 'node:path';
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { discoverPlugins, type DiscoveredPlugin } from '#core/plugin-host/manifest/discovery.ts';
import { nearestName } from '#core/plugin-host/manifest/edit-distance.ts';

/** What the `returnit plugins` commands work on. */
export interface PluginsCommandDeps {
  readonly config: Pick<Config, 'dataDir' | 'pluginPaths' | 'auditFileMaxBytes' | 'environment'>;
  /** Folder that holds `plugins/`. */
  readonly projectDir: string;
  readonly stdout: { write(text: string): unknown };
  /** @default Date.now */
  readonly now?: () => number;
  /** Who grants. @default the user of this process */
  readonly operator?: string;
}

export interface PluginPathOptions {
  readonly pluginPath?: readonly string[];
}

export function addPluginPathOption(command: Command): Command {
  return command.option(
    '--plugin-path <folder>',
    'a plugin, or a folder of plugins, outside the project (repeatable)',
    (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value],
  );
}

export const grantsPathOf = (deps: PluginsCommandDeps): string => join(deps.projectDir, 'plugins', 'grants.json');
export const lockPathOf = (deps: PluginsCommandDeps): string => join(deps.projectDir, 'plugins', 'plugins.lock');
export const auditDirOf = (deps: PluginsCommandDeps): string => join(deps.config.dataDir, 'audit');
export const operatorOf = (deps: PluginsCommandDeps): string => deps.operator ?? userInfo().username;
export const nowOf = (deps: PluginsCommandDeps): number => (deps.now ?? Date.now)();

/** @throws {AppError} INVALID_MANIFEST */
export async function findPlugins(
  deps: PluginsCommandDeps,
  options: PluginPathOptions,
): Promise<readonly DiscoveredPlugin[]> {
  const external = [...deps.config.pluginPaths, ...(options.pluginPath ?? [])];
  return discoverPlugins({
    folders: [
      { source: 'project', path: join(deps.projectDir, 'plugins') },
      ...external.map((path) => ({ source: 'external' as const, path })),
    ],
  });
}

/** @throws {AppError} PLUGIN_UNKNOWN */
export async function findPlugin(
  deps: PluginsCommandDeps,
  options: PluginPathOptions,
  name: string,
): Promise<DiscoveredPlugin> {
  const plugins = await findPlugins(deps, options);
  const found = plugins.find(({ manifest }) => manifest.name === name);
  if (found !== undefined) return found;
  const names = plugins.map(({ manifest }) => manifest.name);
  const near = nearestName(name, names);
  const hint = near === undefined ? '' : `. Did you mean "${near}"?`;
  throw new AppError(
    'PLUGIN_UNKNOWN',
    `Cannot find the plugin "${name}": there are ${names.join(', ') || 'none'}${hint}`,
  );
}
