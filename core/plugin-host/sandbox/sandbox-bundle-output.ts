import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildOptions, BuildResult } from 'esbuild';
import { isFileInput } from './sandbox-bundle-gate.ts';
import { BuildRefused } from './sandbox-esbuild.ts';

/** One module with everything that it imports. */
export interface Bundle {
  /** JavaScript; its last line is its source map. */
  readonly code: string;
}

export const coreFolder = join(import.meta.dirname, '../..');
export const packagesFolder = join(dirname(coreFolder), 'node_modules');
const bundleMaxBytes = 16_777_216;

export const buildOptions = {
  bundle: true,
  absWorkingDir: '/',
  outdir: '/',
  format: 'esm',
  platform: 'node',
  target: 'esnext',
  // Node's own way to find modules, except that a package's form for servers without sockets comes first.
  conditions: ['workerd', 'worker'],
  mainFields: ['main'],
  resolveExtensions: ['.js', '.json'],
  nodePaths: [packagesFolder],
  // As Node strips types; and no tsconfig.json is looked for.
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  sourcemap: 'external',
  sourcesContent: false,
  legalComments: 'none',
  charset: 'utf8',
} as const satisfies BuildOptions;

export function outputName(index: number): string {
  return `bundle-${index}`;
}

/** @throws {BuildRefused} when it is too large */
export function toBundle({ outputFiles }: BuildResult<{ write: false }>, index: number): Bundle {
  const textOf = (path: string): string => outputFiles.find((file) => file.path === path)?.text ?? '';
  const code = textOf(`/${outputName(index)}.js`);
  const map = JSON.parse(textOf(`/${outputName(index)}.js.map`)) as { sources: string[] };
  const sources = map.sources.map((source) => (isFileInput(source) ? pathToFileURL(`/${source}`).href : source));
  const encoded = Buffer.from(JSON.stringify({ ...map, sources })).toString('base64');
  const size = code.length + encoded.length;
  if (size > bundleMaxBytes)
    throw new BuildRefused(`its bundle has ${size} bytes: at most ${bundleMaxBytes} are taken`);
  return { code: `${code}//# sourceMappingURL=data:application/json;base64,${encoded}` };
}
