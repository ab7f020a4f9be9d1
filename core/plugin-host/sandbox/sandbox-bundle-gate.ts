import { isBuiltin } from 'node:module';
import type { OnLoadResult, OnResolveResult, Plugin } from 'esbuild';

const namespace = 'builtin';

/**
 * What the bundler may read, since it has the core's rights: files whose real path lies in one of the folders, nothing
 * else. It asks before it reads; `isInside()` is asked again of everything that it has read.
 */
export function createBundleGate(roots: readonly string[]): Plugin {
  return {
    name: 'gate',
    setup(build) {
      build.onResolve({ filter: /^#plugin-api/ }, ({ path }) =>
        refuse(`Cannot import "${path}" in a plugin: it holds types alone, use 'import type'`),
      );
      build.onResolve({ filter: /^(?:[/\\]|[A-Za-z][A-Za-z0-9+.-]*:)/ }, ({ path, kind }) => {
        if (kind === 'entry-point' || isBuiltin(path)) return undefined;
        // Left as it stands, for the thread's own gate: it may never run.
        if (kind === 'dynamic-import') return { path, external: true };
        return refuse(`Cannot import "${path.slice(0, 200)}" in a plugin: it is neither a package nor a file`);
      });
      // A CommonJS module asks the thread's own gate at run time, as an ECMAScript module does.
      build.onResolve({ filter: /^[a-z]/ }, ({ path, kind }) =>
        kind === 'require-call' && isBuiltin(path) ? { path, namespace } : undefined,
      );
      build.onLoad({ filter: /^/, namespace }, ({ path }) => ({
        contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
        loader: 'js',
      }));
      build.onLoad({ filter: outside(roots), namespace: 'file' }, ({ path }) => refuse(outsideText(path)));
      build.onLoad({ filter: /\.(?:css|txt)$/, namespace: 'file' }, ({ path }) =>
        refuse(`Cannot import ${path} in a plugin: only JavaScript, TypeScript and JSON are imported`),
      );
    },
  };
}

/** Whether the real path lies in one of the folders. */
export function isInside(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path.startsWith(`${root}/`));
}

/** Whether what the bundler's metafile names is a file, rather than what the gate made up. */
export function isFileInput(input: string): boolean {
  return !input.startsWith(`${namespace}:`);
}

export function outsideText(path: string): string {
  return `Cannot import ${path} in a plugin: it is outside its folder and its packages`;
}

function refuse(text: string): OnResolveResult & OnLoadResult {
  return { errors: [{ text }] };
}

/**
 * Matches every path that does not begin with one of the prefixes. The bundler's regular expressions know no negation,
 * so it is spelled out, one character after the other: it is not the next one of any prefix, or it is and goes wrong later.
 */
function outside(roots: readonly string[]): RegExp {
  return new RegExp(`^(?:${deviation(roots.map((root) => `${root}/`))})`);
}

function deviation(prefixes: readonly string[]): string {
  const byFirst = Map.groupBy(prefixes, ([first = '']) => first);
  const ways = ['$', `[^${[...byFirst.keys()].map(toPattern).join('')}]`];
  for (const [first, group] of byFirst) {
    const rest = group.map((prefix) => prefix.slice(first.length));
    // A prefix that ends here is fulfilled: nothing that goes on deviates.
    if (!rest.includes('')) ways.push(`${toPattern(first)}(?:${deviation(rest)})`);
  }
  return ways.join('|');
}

/** Both engines that read the pattern, JavaScript's and the bundler's, understand it so. */
function toPattern(character: string): string {
  const code = character.charCodeAt(0);
  return code < 128 ? `\\x${code.toString(16).padStart(2, '0')}` : character;
}
