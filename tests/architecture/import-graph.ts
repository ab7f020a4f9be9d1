import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

/** File → the project's files that it imports, type-only imports included; paths relative to the root. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

export interface SourceFile {
  readonly file: string;
  readonly text: string;
}

const importForm =
  /(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*'([^']+)'|(?:^|\n)\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;

export async function readSources(root: string, folders: readonly string[]): Promise<readonly SourceFile[]> {
  const files = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(path.join(root, folder), { recursive: true });
      return names
        .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
        .map((name) => path.join(folder, name));
    }),
  );
  return Promise.all(files.flat().map(async (file) => ({ file, text: await readFile(path.join(root, file), 'utf8') })));
}

/** Specifiers as they are written: `#core/x.ts`, `./y.ts`, `koa`. */
export function importsOf(text: string): readonly string[] {
  return [...text.matchAll(importForm)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

export function toGraph(sources: readonly SourceFile[]): ImportGraph {
  return new Map(
    sources.map(({ file, text }) => [file, importsOf(text).flatMap((specifier) => resolve(file, specifier) ?? [])]),
  );
}

function resolve(file: string, specifier: string): string | undefined {
  if (specifier === '#plugin-api') return 'core/plugin-api.ts';
  if (specifier.startsWith('#core/')) return `core/${specifier.slice('#core/'.length)}`;
  return specifier.startsWith('.') ? path.join(path.dirname(file), specifier) : undefined;
}

/** Each cycle once, as the files on it. */
export function findCycles(graph: ImportGraph): readonly (readonly string[])[] {
  const done = new Set<string>();
  const cycles: (readonly string[])[] = [];
  function visit(file: string, trail: readonly string[]): void {
    const start = trail.indexOf(file);
    if (start >= 0) {
      cycles.push(trail.slice(start));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  }
  for (const file of graph.keys()) visit(file, []);
  return cycles;
}
