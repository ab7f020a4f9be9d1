import { Module, syncBuiltinESMExports } from 'node:module';
import v8 from 'node:v8';
import { NotCapable } from '../plugin-error.ts';
import { insteadOf, type BuiltinPolicy } from './builtin-modules.ts';

/**
 * Functions of `process` that reach beyond the thread: other processes, native code, the process's identity, its
 * handles and its files. Not all of them are documented.
 */
const forbidden = [
  '_debugEnd',
  '_debugProcess',
  '_getActiveHandles',
  '_getActiveRequests',
  '_kill',
  '_linkedBinding',
  '_startProfilerIdleNotifier',
  '_stopProfilerIdleNotifier',
  'abort',
  'binding',
  'chdir',
  'dlopen',
  'execve',
  'initgroups',
  'kill',
  'loadEnvFile',
  'openStdin',
  'setegid',
  'seteuid',
  'setgid',
  'setgroups',
  'setuid',
  'umask',
] as const;
/** Not functions: they are simply gone. */
const hidden = ['mainModule', 'report', 'moduleLoadList'] as const;

type Replaceable = Record<string, unknown>;

/** Takes away what the permission model leaves open (design.md, "The sandbox"). Nothing of it can be put back. */
export function lockProcess(isAllowedBuiltin: BuiltinPolicy): void {
  const target = process as unknown as Replaceable;
  for (const name of forbidden) replace(target, name, refuse(`process.${name}`));
  for (const name of hidden) replace(target, name, undefined);

  const getBuiltinModule = process.getBuiltinModule.bind(process);
  replace(target, 'getBuiltinModule', (id: unknown): unknown => {
    if (typeof id === 'string' && isAllowedBuiltin(id)) return getBuiltinModule(id);
    throw new NotCapable(`Cannot load "${String(id).slice(0, 200)}" in a plugin${insteadOf(String(id))}`);
  });
  lockLoader();
}

/** The loader's own object can be reached through `module.constructor` wherever Node still hands out a `module`. */
function lockLoader(): void {
  const loader = Module as unknown as Replaceable;
  for (const name of ['_load', 'registerHooks', 'register', 'createRequire', 'runMain', 'syncBuiltinESMExports']) {
    replace(loader, name, refuse(`Module.${name}`));
  }
  replace(v8, 'setFlagsFromString', refuse('v8.setFlagsFromString'));
  syncBuiltinESMExports();
}

function refuse(what: string): () => never {
  return () => {
    throw new NotCapable(`Cannot use ${what} in a plugin`);
  };
}

function replace(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: false });
}
