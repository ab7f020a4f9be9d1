/**
 * The operating-system side of the sandbox: which process is started, with which flags, and what it is given. What the
 * flags mean and what they leave open was tried on Node 26; see the README's security section.
 */
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginIdentity } from '#core/plugin-instance.ts';
import type { ChildBoot } from '../child/boot.ts';
import { createBundler, type Bundler } from './sandbox-bundle.ts';
import { bundleOwnCode, type OwnCode } from './sandbox-child.ts';
import { BuildRefused, createBuild } from './sandbox-esbuild.ts';
import type { SandboxLimits } from './sandbox-limits.ts';
import { Spawner, type SpawnedProcess } from './spawner.ts';

const profileMaxBytes = 1_048_576;
const mainDefault = 'plugin.ts';

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
  readonly process: SpawnedProcess;
  /** Descriptor 3: calls, to and from the plugin's thread. */
  readonly data: Socket;
  /** Descriptor 4: what the child's supervisor reports. It ends the child when it closes. */
  readonly control: Socket;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

export type StartSandbox = (options: SandboxOptions) => Promise<Sandbox>;

export interface Sandboxes {
  /** The process that was started ahead with these options and lives, or a new one. */
  readonly start: StartSandbox;
  /**
   * Starts what will be asked for soon, while there is something else to wait for. What it calls waits in its pipe. What
   * goes wrong with it is told when it is asked for.
   */
  startAhead(options: SandboxOptions): void;
  /** Ends what was started ahead and never asked for. What was asked for must have ended. */
  stop(): Promise<void>;
}

interface StartedAhead {
  readonly options: SandboxOptions;
  readonly sandbox: Promise<Sandbox>;
  readonly startedAtMs: number;
}

/** Its calls have a deadline: who is not answered for so long may have given up. */
const aheadMaxMs = 5000;

/** Starts plugin processes. The child's own modules are bundled once, a plugin when it has changed. */
export function createSandboxes(): Sandboxes {
  const build = createBuild();
  const bundle = createBundler(build);
  const ahead = new Map<string, StartedAhead>();
  const spawner = new Spawner();
  let own: Promise<OwnCode> | undefined;

  async function startNew(options: SandboxOptions): Promise<Sandbox> {
    own ??= bundleOwnCode(build);
    return startSandbox(await createBoot(options, await own, bundle), { options, spawner });
  }

  async function takeAhead(options: SandboxOptions): Promise<Sandbox | undefined> {
    const started = ahead.get(options.plugin.name);
    ahead.delete(options.plugin.name);
    if (started === undefined) return undefined;
    const [{ value: sandbox }] = (await Promise.allSettled([started.sandbox])) as [{ value?: Sandbox }];
    if (sandbox === undefined || sandbox.process.hasExited) return undefined;
    const isFresh = performance.now() - started.startedAtMs < aheadMaxMs;
    if (isFresh && isDeepStrictEqual(started.options, options)) return sandbox;
    await end(sandbox);
    return undefined;
  }

  return {
    start: async (options) => (await takeAhead(options)) ?? startNew(options),
    startAhead(options) {
      const sandbox = startNew(options);
      void Promise.allSettled([sandbox]);
      ahead.set(options.plugin.name, { options, sandbox, startedAtMs: performance.now() });
    },
    async stop() {
      const left = await Promise.allSettled([...ahead.values()].map(({ sandbox }) => sandbox));
      ahead.clear();
      await Promise.all(left.map(async (started) => (started.status === 'fulfilled' ? end(started.value) : undefined)));
      await spawner.stop();
    },
  };
}

async function end({ process: child }: Sandbox): Promise<void> {
  child.kill('SIGKILL');
  await child.exited;
}

async function startSandbox(
  boot: ChildBoot,
  { options, spawner }: { readonly options: SandboxOptions; readonly spawner: Spawner },
): Promise<Sandbox> {
  const { process: child, ends } = await spawner.spawn({
    file: process.execPath,
    args: [...childFlags, '--input-type=module', '--eval', boot.entry],
    // Node lets a thread that is not started from a file read its working directory as if that were its entry point.
    cwd: boot.files ? await realpath(options.folder) : dirname(process.execPath),
  });
  const [stdout, stderr, data, control] = ends;
  const message = Buffer.from(JSON.stringify(boot));
  const header = Buffer.alloc(4);
  header.writeUInt32BE(message.length);
  control.on('error', () => control.destroy());
  control.write(Buffer.concat([header, message]));
  return { process: child, data, control, stdout, stderr };
}

async function createBoot(options: SandboxOptions, own: OwnCode, bundle: Bundler): Promise<ChildBoot> {
  const { plugin, env, limits, read, main = mainDefault } = options;
  if (!existsSync(join(options.folder, main))) {
    throw new AppError('INVALID_MANIFEST', `Cannot start ${plugin.name}: ${join(options.folder, main)} does not exist`);
  }
  const folder = await realpath(options.folder);
  const bundled = await bundle({ folder, main }).catch((error: unknown) => {
    if (error instanceof BuildRefused) return error;
    throw error;
  });
  const refused = bundled instanceof BuildRefused;
  return {
    ...own,
    main: { url: pathToFileURL(join(folder, main)).href, code: refused ? '' : bundled.code },
    broken: refused ? `Cannot load ${join(folder, main)}: ${bundled.message}` : null,
    plugin: { name: plugin.name, version: plugin.version },
    files: read.length > 0,
    // Its code is in this message: it needs no file, unless it was granted some. Then it may read its own as well.
    threadFlags: ['--permission', ...(read.length > 0 ? [`${folder}/*`, ...read] : []).map(toReadFlag)],
    env,
    limits: { ...limits, profileMaxBytes },
  };
}

function toReadFlag(path: string): string {
  return `--allow-fs-read=${path}`;
}
