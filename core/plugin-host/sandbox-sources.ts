import { readdir, readFile, stat } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppError } from '#core/errors/app-error.ts';

export interface Sources {
  /** JavaScript by file URL. */
  readonly sources: Record<string, string>;
  /** Why a file has no JavaScript, by file URL. */
  readonly broken: Record<string, string>;
}

const filesMax = 500;
const fileMaxBytes = 1_048_576;
const skipped: ReadonlySet<string> = new Set(['node_modules', 'migrations', '.git']);

/**
 * The TypeScript of a folder as JavaScript, positions kept. A file that is no valid TypeScript is an error only for who
 * imports it.
 *
 * @throws {AppError} INVALID_MANIFEST when the folder holds more than a plugin may
 */
export async function readSources(folder: string): Promise<Sources> {
  const sources: Record<string, string> = {};
  const broken: Record<string, string> = {};
  for (const path of await listTypeScript(folder)) {
    const url = pathToFileURL(path).href;
    try {
      sources[url] = await stripFile(path);
    } catch (error) {
      broken[url] = `Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return { sources, broken };
}

export async function stripFile(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > fileMaxBytes) throw new RangeError(`it is ${size} bytes, at most ${fileMaxBytes} are allowed`);
  return stripTypeScriptTypes(await readFile(path, 'utf8'));
}

async function listTypeScript(folder: string): Promise<string[]> {
  const paths: string[] = [];
  const folders = [folder];
  for (let current = folders.pop(); current !== undefined; current = folders.pop()) {
    for (const entry of await readdir(current, { withFileTypes: true })) {
      const path = join(current, entry.name);
      if (entry.isDirectory() && !skipped.has(entry.name)) folders.push(path);
      if (entry.isFile() && /(?<!\.d)\.m?ts$/.test(entry.name)) paths.push(path);
      if (paths.length > filesMax) {
        throw new AppError(
          'INVALID_MANIFEST',
          `Cannot start plugin: ${folder} has more than ${filesMax} TypeScript files`,
        );
      }
    }
  }
  return paths;
}
