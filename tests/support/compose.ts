/** compose.yaml as a container engine would read it: anchors and merges resolved, variables filled in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { projectDir } from './project-copy.ts';

export type Environment = Readonly<Record<string, string>>;

export interface ComposeService {
  readonly image: string;
  readonly profiles: readonly string[];
  readonly user: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Environment;
  readonly env_file?: readonly { readonly path: string; readonly required: boolean }[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly [key: string]: unknown;
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, object>>;
}

/** @throws {Error} when a variable that must be set is not, with the file's own message */
export function readCompose(environment: Environment): Compose {
  return interpolate(parseCompose(), environment) as Compose;
}

/** With its variables as they stand in the file. */
export function parseCompose(): Compose {
  return parse(readFileSync(join(projectDir, 'compose.yaml'), 'utf8'), { merge: true }) as Compose;
}

/** `NAME=value` lines; what begins with # is a comment. */
export function parseEnvFile(text: string): Environment {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

function interpolate(value: unknown, environment: Environment): unknown {
  if (typeof value === 'string') return fill(value, environment);
  if (Array.isArray(value)) return value.map((item) => interpolate(item, environment));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolate(item, environment)]));
}

/** Compose specification, "Interpolation": `:-` and `:?` treat an empty variable as one that is not set. */
function fill(text: string, environment: Environment): string {
  return text.replaceAll(
    /\$(?:\$|\{([A-Z_]+)(?::([-?])([^}]*))?\})/g,
    (whole, name: string, kind?: string, rest = '') => {
      if (whole === '$$') return '$';
      const value = environment[name] ?? '';
      if (value !== '' || kind === undefined) return value;
      if (kind === '?') throw new Error(`required variable ${name} is missing a value: ${rest}`);
      return rest as string;
    },
  );
}
