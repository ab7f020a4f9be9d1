import type { Command } from 'commander';
import { readLock } from '#core/plugin-host/lock/lock.ts';
import { verifyLock } from '#core/plugin-host/lock/lock-verify.ts';
import { readGrants } from '#core/plugin-host/permissions/grants.ts';
import { collectRules, missingGrants } from '#core/plugin-host/permissions/permission-rules.ts';
import {
  addPluginPathOption,
  findPlugins,
  grantsPathOf,
  lockPathOf,
  type PluginPathOptions,
  type PluginsCommandDeps,
} from './plugins-context.ts';
import { formatTable, plainText } from './text-table.ts';

interface ListedPlugin {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly lock: string;
  readonly missingGrants: number;
  readonly description: string;
  readonly folder: string;
}

/** `returnit plugins list [--json]` */
export function registerPluginsListCommand(plugins: Command, deps: PluginsCommandDeps): void {
  addPluginPathOption(plugins.command('list'))
    .description('all plugins: version, state in plugins.lock, missing grants')
    .option('--json', 'as JSON')
    .action(async (options: PluginPathOptions & { readonly json?: true }) => {
      const listed = await listPlugins(deps, options);
      if (options.json === true) {
        deps.stdout.write(`${JSON.stringify(listed, null, 2)}\n`);
        return;
      }
      const rows = listed.map((plugin) => [
        plugin.name,
        plugin.version,
        plugin.source,
        plugin.lock,
        plugin.missingGrants === 0 ? 'complete' : `${plugin.missingGrants} missing`,
        plainText(plugin.description),
      ]);
      deps.stdout.write(formatTable(['NAME', 'VERSION', 'SOURCE', 'LOCK', 'GRANTS', 'DESCRIPTION'], rows));
    });
}

async function listPlugins(deps: PluginsCommandDeps, options: PluginPathOptions): Promise<readonly ListedPlugin[]> {
  const found = await findPlugins(deps, options);
  const grants = await readGrants(grantsPathOf(deps));
  const { held } = await verifyLock({ plugins: found, lock: await readLock(lockPathOf(deps)), development: false });
  return found.map(({ manifest, source, folder }) => ({
    name: manifest.name,
    version: manifest.version,
    source,
    lock: held.find(({ plugin }) => plugin.folder === folder)?.reason ?? 'locked',
    missingGrants: missingGrants(collectRules({ manifest, grants })).length,
    description: manifest.description,
    folder,
  }));
}
