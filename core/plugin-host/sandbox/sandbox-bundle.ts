import { existsSync, realpathSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Metafile } from 'esbuild';
import { createBundleGate, isFileInput, isInside, outsideText } from './sandbox-bundle-gate.ts';
import { buildOptions, outputName, packagesFolder, toBundle, type Bundle } from './sandbox-bundle-output.ts';
import { BuildRefused, createBuild, type BundlerBuild } from './sandbox-esbuild.ts';

export interface BundleEntry {
  /** Absolute; the module lies in it. */
  readonly folder: string;
  /** The module, from the folder. */
  readonly main: string;
}

export type Bundler = (entry: BundleEntry) => Promise<Bundle>;

interface Wanted {
  readonly entry: BundleEntry;
  readonly bundle: PromiseWithResolvers<Bundle>;
}

interface Kept {
  readonly bundle: Bundle;
  /** The folder's own files with their stamps: packages do not change while the core runs. */
  readonly stamps: ReadonlyMap<string, Stamp>;
}

interface Stamp {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

const modulesMax = 5000;
const moduleMaxBytes = 4_194_304;
const modulesMaxBytes = 33_554_432;

/**
 * Bundles plugins with the core's rights, confined to the plugin's folder and the packages that are found from there.
 * Plugins that are asked for at once share one run: what they have in common is read once. A bundle is made again when
 * a file of the plugin has changed.
 */
export function createBundler(build: BundlerBuild = createBuild()): Bundler {
  const kept = new Map<string, Kept>();
  const running = new Map<string, Promise<Bundle>>();

  async function bundleAll(entries: readonly BundleEntry[]): Promise<readonly Bundle[]> {
    const startedAtMs = Date.now();
    const roots = entries.map(({ folder }) => importableFolders(folder));
    const result = await build({
      ...buildOptions,
      entryPoints: entries.map(({ folder, main }, index) => ({ in: join(folder, main), out: outputName(index) })),
      plugins: [createBundleGate([...new Set(roots.flat())])],
    });
    const realPaths = new Map(
      Object.keys(result.metafile.inputs)
        .filter(isFileInput)
        .map((input) => [input, realpathSync.native(`/${input}`)]),
    );
    return Promise.all(
      entries.map(async (entry, index) => {
        const reached = reachedInputs(result.metafile, `${outputName(index)}.js`);
        const inputs = reached.filter(isFileInput).map((input) => realPaths.get(input) ?? input);
        const strange = inputs.find((path) => !isInside(path, roots[index] ?? []));
        if (strange !== undefined) throw new BuildRefused(outsideText(strange));
        const bundle = toBundle(result, index);
        const stamps = await stampAll(inputs.filter((path) => isInside(path, [entry.folder])));
        // A file that has changed since the build began may be another one than what was read.
        if ([...stamps.values()].every(({ mtimeMs }) => mtimeMs < startedAtMs))
          kept.set(keyOf(entry), { bundle, stamps });
        return bundle;
      }),
    );
  }

  const enqueue = createBatches(bundleAll);

  return async function bundle({ folder, main }) {
    // Nothing is waited for before it is queued: what is asked for at once shall be bundled at once.
    const entry = { folder: realpathSync.native(folder), main };
    const key = keyOf(entry);
    const known = kept.get(key);
    if (known !== undefined && (await isUnchanged(known))) return known.bundle;
    const made = running.get(key) ?? enqueue(entry).finally(() => running.delete(key));
    running.set(key, made);
    return made;
  };
}

/** All that are asked for in one turn of the event loop are bundled together. */
function createBatches(bundleAll: (entries: readonly BundleEntry[]) => Promise<readonly Bundle[]>): Bundler {
  let wanted: Wanted[] = [];

  async function run(batch: readonly Wanted[]): Promise<void> {
    if (batch.length > 1) {
      try {
        const bundles = await bundleAll(batch.map(({ entry }) => entry));
        for (const [index, { bundle }] of batch.entries()) bundle.resolve(bundles[index] as Bundle);
        return;
      } catch {
        // One of them cannot be bundled. Alone, each is told of its own errors.
      }
    }
    for (const { entry, bundle } of batch) {
      await bundleAll([entry]).then(
        ([only]) => bundle.resolve(only as Bundle),
        (error: unknown) => bundle.reject(error),
      );
    }
  }

  return function enqueue(entry) {
    const bundle = Promise.withResolvers<Bundle>();
    if (wanted.push({ entry, bundle }) === 1) {
      setImmediate(() => {
        const batch = wanted;
        wanted = [];
        void run(batch);
      });
    }
    return bundle.promise;
  };
}

function keyOf({ folder, main }: BundleEntry): string {
  return join(folder, main);
}

/** By their real paths: the plugin's folder, the project's packages, and those of the folders above the plugin's. */
function importableFolders(folder: string): readonly string[] {
  const folders = [folder, packagesFolder];
  for (let above = dirname(folder); above !== dirname(above); above = dirname(above)) {
    folders.push(join(above, 'node_modules'));
  }
  return [...new Set(folders.filter((path) => existsSync(path)).map((path) => realpathSync(path)))];
}

/**
 * All that the entry imports, and what that imports.
 *
 * @throws {BuildRefused} when it is too much
 */
function reachedInputs({ inputs, outputs }: Metafile, output: string): readonly string[] {
  const { entryPoint } = outputs[output] ?? {};
  if (entryPoint === undefined) throw new BuildRefused('the bundler does not say what it has read');
  const reached = new Set([entryPoint]);
  let bytes = 0;
  for (const input of reached) {
    const { bytes: size = 0, imports = [] } = inputs[input] ?? {};
    for (const { path, external } of imports) if (external !== true) reached.add(path);
    bytes += size;
    if (size > moduleMaxBytes) {
      throw new BuildRefused(`/${input} has ${size} bytes: at most ${moduleMaxBytes} are imported`);
    }
    if (reached.size > modulesMax) throw new BuildRefused(`it imports more than ${modulesMax} modules`);
    if (bytes > modulesMaxBytes) throw new BuildRefused(`it imports more than ${modulesMaxBytes} bytes`);
  }
  return [...reached];
}

async function stampAll(paths: readonly string[]): Promise<Map<string, Stamp>> {
  return new Map(await Promise.all(paths.map(async (path) => [path, await stampOf(path)] as const)));
}

async function stampOf(path: string): Promise<Stamp> {
  const { ino, size, mtimeMs } = await stat(path);
  return { ino, size, mtimeMs };
}

async function isUnchanged({ stamps }: Kept): Promise<boolean> {
  // A file that is gone is a change like any other.
  const now = await stampAll([...stamps.keys()]).catch(() => undefined);
  return now !== undefined && isDeepStrictEqual(now, stamps);
}
