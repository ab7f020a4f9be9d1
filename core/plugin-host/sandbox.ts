/**
 * The operating-system side of the sandbox: which process is started, with which flags, and what it is given. What the
 * flags mean and what they leave open was tried on Node 26; see the README's security section.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginIdentity } from '#core/plugin-instance.ts';
import type { ChildBoot } from './child/boot.ts';
import type { SandboxLimits } from './sandbox-limits.ts';
import { readSources, stripFile, type Sources } from './sandbox-sources.ts';

const coreFolder = dirname(import.meta.dirname);
const packagesFolder = join(dirname(coreFolder), 'node_modules');
const profileMaxBytes = 1_048_576;

const childFlags = [
  '--permission',
  '--allow-worker',
  '--report-exclude-env',
  // Process-wide; the plugin's thread cannot be given it alone, and is bound by it.
  '--disallow-code-generation-from-strings',
  '--disable-sigusr1',
  // It warns of --allow-worker: the supervisor drops that permission before any plugin code runs.
  '--disable-warning=PERM0006',
];

export interface SandboxOptions {
  readonly plugin: PluginIdentity;
  /** The plugin's folder. */
  readonly folder: string;
  /** The module in it that exports `plugin`. @default 'plugin.ts' */
  readonly main?: string;
  /** The granted variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Granted files and folders outside its own, absolute. */
  readonly read: readonly string[];
  readonly limits: SandboxLimits;
}

export interface Sandbox {
  readonly process: ChildProcess;
  /** Descriptor 3: calls, to and from the plugin's thread. */
  readonly data: Socket;
  /** Descriptor 4: what the child's supervisor reports. It ends the child when it closes. */
  readonly control: Socket;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

export type StartSandbox = (options: SandboxOptions) => Promise<Sandbox>;

/** Starts plugin processes. The child's own modules are read once. */
export function createSandboxes(): StartSandbox {
  let own: Promise<Sources & { entry: string }> | undefined;

  return async function startSandbox(options) {
    own ??= readOwnSources();
    const boot = await createBoot(options, await own);
    const child = spawn(process.execPath, [...childFlags, '--input-type=module', '--eval', boot.entry], {
      env: {},
      // Node lets a thread that is not started from a file read its working directory as if that were its entry point.
      cwd: await realpath(options.folder),
      // A process group of its own: the terminal's Ctrl-C is for the core, which then stops the plugin in order.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const [, stdout, stderr, data, control] = child.stdio as unknown as [null, Readable, Readable, Socket, Socket];
    await spawned(child, options.plugin);
    const message = Buffer.from(JSON.stringify(boot));
    const header = Buffer.alloc(4);
    header.writeUInt32BE(message.length);
    control.on('error', () => control.destroy());
    control.write(Buffer.concat([header, message]));
    return { process: child, data, control, stdout, stderr };
  };
}

async function readOwnSources(): Promise<Sources & { entry: string }> {
  const host = join(coreFolder, 'plugin-host');
  const folders = [join(host, 'child'), join(host, 'protocol'), join(coreFolder, 'errors')];
  const all = await Promise.all(folders.map((folder) => readSources(folder)));
  const entry = await stripFile(join(host, 'child', 'entry.ts'));
  return {
    entry: `${entry}\n//# sourceURL=${pathToFileURL(join(host, 'child', 'entry.ts')).href}`,
    sources: Object.assign({}, ...all.map(({ sources }) => sources)) as Record<string, string>,
    broken: {},
  };
}

async function createBoot(options: SandboxOptions, own: Sources & { entry: string }): Promise<ChildBoot> {
  const { plugin, env, limits, main = 'plugin.ts' } = options;
  const folder = await realpath(options.folder);
  const { sources, broken } = await readSources(folder);
  const folders = importableFolders(folder);
  if (!existsSync(join(folder, main))) {
    throw new AppError('INVALID_MANIFEST', `Cannot start ${plugin.name}: ${join(folder, main)} does not exist`);
  }
  return {
    entry: own.entry,
    sources: { ...own.sources, ...sources },
    broken,
    coreUrl: pathToFileURL(`${coreFolder}/`).href,
    plugin: { name: plugin.name, version: plugin.version },
    mainUrl: pathToFileURL(join(folder, main)).href,
    packagesUrl: pathToFileURL(join(dirname(packagesFolder), 'package.json')).href,
    importable: folders.map((path) => pathToFileURL(`${path}/`).href),
    files: options.read.length > 0,
    threadFlags: ['--permission', ...[...folders.map((path) => `${path}/*`), ...options.read].map(toReadFlag)],
    env,
    limits: { ...limits, profileMaxBytes },
  };
}

/** What the plugin's thread may read and import: its own folder and the packages that are found from there. */
function importableFolders(folder: string): string[] {
  const folders = [folder, packagesFolder];
  for (let above = dirname(folder); above !== dirname(above); above = dirname(above)) {
    const packages = join(above, 'node_modules');
    if (existsSync(packages)) folders.push(packages);
  }
  // A linked node_modules is read by its name and imported by its target.
  const targets = folders.filter((path) => existsSync(path)).map((path) => realpathSync(path));
  return [...new Set([...folders, ...targets])];
}

function toReadFlag(path: string): string {
  return `--allow-fs-read=${path}`;
}

function spawned(child: ChildProcess, plugin: PluginIdentity): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      reject(new AppError('PLUGIN_UNAVAILABLE', `Cannot start ${plugin.name}: ${cause.message}`, { cause }));
    });
  });
}
