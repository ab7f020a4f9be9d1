import type { Command } from 'commander';
import { createLockEntry, lockKey, readLock } from '#core/plugin-host/lock/lock.ts';
import { requestDifference } from '#core/plugin-host/lock/lock-verify.ts';
import { requestedItems } from '#core/plugin-host/manifest/manifest.ts';
import {
  addPluginPathOption,
  findPlugin,
  lockPathOf,
  type PluginPathOptions,
  type PluginsCommandDeps,
} from './plugins-context.ts';
import { formatTable, plainText } from './text-table.ts';

/** `returnit plugins inspect NAME [--json]` */
export function registerPluginsInspectCommand(plugins: Command, deps: PluginsCommandDeps): void {
  addPluginPathOption(plugins.command('inspect'))
    .description('what a plugin is: files, requests, metrics, limits, and how it differs from plugins.lock')
    .argument('<name>')
    .option('--json', 'as JSON')
    .action(async (name: string, options: PluginPathOptions & { readonly json?: true }) => {
      const inspected = await inspect(deps, options, name);
      deps.stdout.write(options.json === true ? `${JSON.stringify(inspected, null, 2)}\n` : describe(inspected));
    });
}

type Inspected = Awaited<ReturnType<typeof inspect>>;

async function inspect(deps: PluginsCommandDeps, options: PluginPathOptions, name: string) {
  const plugin = await findPlugin(deps, options, name);
  const { manifest, folder, source } = plugin;
  const entry = await createLockEntry(plugin);
  const locked = (await readLock(lockPathOf(deps))).plugins[lockKey(plugin)];
  return {
    name: manifest.name,
    version: manifest.version,
    description: manifest.description,
    source,
    folder,
    main: manifest.main,
    tree: entry.tree,
    lock: {
      version: locked?.version ?? null,
      sameFiles: locked?.tree === entry.tree,
      difference: requestDifference(locked?.requested ?? {}, entry.requested),
    },
    requests: requestedItems(manifest).map((item) => ({ ...item, why: item.why ?? null })),
    metrics: manifest.metrics,
    limits: manifest.limits,
  };
}

function describe(plugin: Inspected): string {
  const facts = [
    ['name', `${plugin.name}@${plugin.version}`],
    ['description', plainText(plugin.description) || '-'],
    ['folder', `${plugin.folder} (${plugin.source})`],
    ['main', plugin.main],
    ['tree', plugin.tree],
    ['lock', lockText(plugin.lock)],
    [
      'limits',
      Object.entries(plugin.limits)
        .map(([limit, value]) => `${limit} ${value}`)
        .join(', ') || '-',
    ],
  ];
  const width = Math.max(...facts.map(([fact]) => (fact ?? '').length));
  const parts = [facts.map(([fact = '', value = '']) => `${fact.padEnd(width)}  ${value}\n`).join('')];
  if (plugin.requests.length > 0) {
    const rows = plugin.requests.map(({ permission, resource, why }) => [permission, resource, plainText(why ?? '-')]);
    parts.push(formatTable(['REQUESTS', 'RESOURCE', 'WHY'], rows));
  }
  const metrics = Object.entries(plugin.metrics).map(([metric, { type, labels, help }]) => [
    metric,
    type,
    labels.join(',') || '-',
    plainText(help),
  ]);
  if (metrics.length > 0) parts.push(formatTable(['METRIC', 'TYPE', 'LABELS', 'HELP'], metrics));
  return parts.join('\n');
}

function lockText({ version, sameFiles, difference }: Inspected['lock']): string {
  if (version === null) return 'not in plugins/plugins.lock';
  const files = sameFiles ? 'same files' : 'other files';
  return `version ${version}, ${files}${difference.length === 0 ? ', same requests' : `, requests ${difference.join(', ')}`}`;
}
