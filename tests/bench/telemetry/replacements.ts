import { globSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.resolve(import.meta.dirname, '../../..');
const noOps = path.join(import.meta.dirname, 'no-ops');

export interface Replacement {
  /** The URLs of the core's module and of what stands in for it, which lies at the same path below `no-ops`. */
  readonly real: string;
  readonly noOp: string;
}

/** What does nothing in place of the core's telemetry. */
export const replacements: readonly Replacement[] = globSync('**/*.ts', { cwd: noOps }).map((file) => ({
  real: pathToFileURL(path.join(root, 'core', file)).href,
  noOp: pathToFileURL(path.join(noOps, file)).href,
}));
