import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ChildCode } from '../child/boot.ts';
import { createBundleGate } from './sandbox-bundle-gate.ts';
import { buildOptions, coreFolder, outputName, toBundle } from './sandbox-bundle-output.ts';
import type { BundlerBuild } from './sandbox-esbuild.ts';

/** What runs in every plugin's process before the plugin. */
export interface OwnCode {
  /** The first code of both threads. */
  readonly entry: string;
  readonly supervisor: ChildCode;
  readonly thread: ChildCode;
}

const mains = ['entry.ts', 'supervisor.ts', 'plugin-thread.ts'].map((name) =>
  join(coreFolder, 'plugin-host', 'child', name),
);

export async function bundleOwnCode(build: BundlerBuild): Promise<OwnCode> {
  const result = await build({
    ...buildOptions,
    entryPoints: mains.map((path, index) => ({ in: path, out: outputName(index) })),
    plugins: [createBundleGate([coreFolder])],
  });
  const [entry, supervisor, thread] = mains.map((path, index) => ({
    url: pathToFileURL(path).href,
    code: toBundle(result, index).code,
  })) as [ChildCode, ChildCode, ChildCode];
  return { entry: `${entry.code}\n//# sourceURL=${entry.url}`, supervisor, thread };
}
