import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { AppError } from '#core/errors/app-error.ts';
import { nearestName } from './edit-distance.ts';
import { readManifest, type Manifest } from './manifest.ts';
import { listPluginFiles } from './plugin-files.ts';

export interface PluginFolder {
  /** `project`: the folder `plugins/`. `external`: a `--plugin-path`, itself a plugin or a folder of plugins. */
  readonly source: 'project' | 'external';
  readonly path: string;
}

export interface DiscoveredPlugin {
  readonly manifest: Manifest;
  /** Real, absolute path of the plugin's folder. */
  readonly folder: string;
  readonly source: PluginFolder['source'];
}

export interface DiscoverOptions {
  readonly folders: readonly PluginFolder[];
  /** Names of the plugins to start; empty is all. @default [] */
  readonly only?: readonly string[];
}

/**
 * Reads the manifests of all plugins, by name. No code of theirs runs.
 *
 * @throws {AppError} INVALID_MANIFEST, PLUGIN_UNKNOWN for a name in `only` that no plugin has
 */
export async function discoverPlugins(options: DiscoverOptions): Promise<readonly DiscoveredPlugin[]> {
  const { only = [] } = options;
  const plugins = new Map<string, DiscoveredPlugin>();
  for (const found of await findFolders(options.folders)) {
    const plugin = await readPlugin(found);
    const { name } = plugin.manifest;
    const other = plugins.get(name);
    if (other !== undefined) {
      throw new AppError(
        'INVALID_MANIFEST',
        `Cannot use two plugins named "${name}": ${other.folder} and ${plugin.folder}. Names must be unique`,
      );
    }
    plugins.set(name, plugin);
  }
  const names = [...plugins.keys()].toSorted();
  for (const name of only) assertKnown(name, names);
  return names.filter((name) => only.length === 0 || only.includes(name)).flatMap((name) => plugins.get(name) ?? []);
}

function assertKnown(name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  const near = nearestName(name, names);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  const existing = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
  throw new AppError('PLUGIN_UNKNOWN', `Cannot find the plugin "${name}": ${existing}.${hint}`.replace(/\.$/, ''), {
    details: { plugin: name, plugins: names },
  });
}

interface FoundFolder {
  readonly path: string;
  readonly source: PluginFolder['source'];
}

async function findFolders(folders: readonly PluginFolder[]): Promise<readonly FoundFolder[]> {
  const found = await Promise.all(folders.map(findIn));
  const unique = new Map(found.flat().map((folder) => [folder.path, folder]));
  return [...unique.values()];
}

async function findIn({ path, source }: PluginFolder): Promise<FoundFolder[]> {
  const root = await realpath(path).catch((cause: unknown) => {
    throw new AppError('INVALID_MANIFEST', `Cannot read the plugin folder "${path}": there is no such folder`, {
      cause,
    });
  });
  if (source === 'external' && (await isFile(join(root, 'plugin.json')))) return [{ path: root, source }];
  const found: FoundFolder[] = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const folder = join(root, entry.name);
    if (await isFile(join(folder, 'plugin.json'))) found.push({ path: await resolveInside(root, folder), source });
    else if (await isFile(join(folder, 'plugin.ts'))) {
      throw new AppError(
        'INVALID_MANIFEST',
        `Cannot use the plugin folder ${folder}: it has a plugin.ts and no plugin.json`,
      );
    }
  }
  if (source === 'external' && found.length === 0) {
    throw new AppError(
      'INVALID_MANIFEST',
      `Cannot use "${path}" as a plugin path: neither it nor a folder in it has a plugin.json`,
    );
  }
  return found;
}

async function resolveInside(root: string, folder: string): Promise<string> {
  const target = await realpath(folder);
  if (target.startsWith(root + sep)) return target;
  throw new AppError(
    'INVALID_MANIFEST',
    `Cannot use the plugin folder ${folder}: it is a link out of ${root}, to ${target}. Name that folder with --plugin-path`,
  );
}

async function readPlugin({ path, source }: FoundFolder): Promise<DiscoveredPlugin> {
  await listPluginFiles(path);
  const manifest = await readManifest(join(path, 'plugin.json'), shownPath(path, source));
  if (!(await isFile(join(path, manifest.main)))) {
    throw new AppError(
      'INVALID_MANIFEST',
      `Cannot use the plugin "${manifest.name}": its main module ${join(path, manifest.main)} is missing`,
    );
  }
  return { manifest, folder: path, source };
}

/** `plugins/orders/plugin.json` for the project's own, the whole path for others. */
function shownPath(folder: string, source: PluginFolder['source']): string {
  const file = join(folder, 'plugin.json');
  return source === 'project' ? join(basename(dirname(folder)), relative(dirname(folder), file)) : file;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false, // missing or unreadable: either way there is no such file to use
  );
}
