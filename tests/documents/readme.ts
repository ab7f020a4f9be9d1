/** The README as data, for the tests that keep it true. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');
export const readmePath = join(root, 'README.md');
export const tableMarker = /<!-- table: ([a-z -]+) -->[\s\S]*?<!-- end -->/g;

export const readReadme = (): string => readFileSync(readmePath, 'utf8');

/** Lines of each marked table, by its name. */
export function readTables(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    [...text.matchAll(tableMarker)].map((match) => [
      match[1] ?? '',
      match[0].split('\n').filter((line) => line.startsWith('|')),
    ]),
  );
}

export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** The paragraph before it. */
  readonly introduction: string;
}

export function readBlocks(text: string): readonly CodeBlock[] {
  return [...text.matchAll(/([^\n]*)\n+```([a-z]*)\n([\s\S]*?)```/g)].map(([, introduction, language, code]) => ({
    introduction: introduction ?? '',
    language: language ?? '',
    code: code ?? '',
  }));
}

/** A section with its title, without the sections below it of the same level. */
export function readSection(text: string, title: string): string {
  const start = text.indexOf(`\n## ${title}\n`);
  if (start === -1) throw new Error(`README.md has no section "${title}"`);
  const end = text.indexOf('\n## ', start + 1);
  return text.slice(start, end === -1 ? undefined : end);
}

/** Files of the example plugin: a block whose introduction names `../parcels/<file>`. */
export function readExample(text: string): ReadonlyMap<string, string> {
  const files = readBlocks(readSection(text, 'Write a plugin in ten minutes')).flatMap(({ introduction, code }) => {
    const file = /`\.\.\/parcels\/([^`]+)`/.exec(introduction)?.[1];
    return file === undefined ? [] : [[file, code] as const];
  });
  return new Map(files);
}
