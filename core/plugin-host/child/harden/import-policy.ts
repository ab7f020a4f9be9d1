import { isBuiltin, registerHooks } from 'node:module';
import { NotCapable } from '../plugin-error.ts';
import { insteadOf, type BuiltinPolicy } from './builtin-modules.ts';

const shownMaxLength = 200;

/**
 * What plugin code may still import when it runs: the harmless modules of Node. Its own files and its packages are in
 * its bundle, which the core has made; the thread reads none.
 */
export function installImportPolicy(mainUrl: string, isAllowedBuiltin: BuiltinPolicy): void {
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === mainUrl) return next(specifier, context);
      if (isBuiltin(specifier)) {
        if (isAllowedBuiltin(specifier)) return next(specifier, context);
        throw new NotCapable(`Cannot import "${specifier}" in a plugin${insteadOf(specifier)}`);
      }
      throw new NotCapable(
        `Cannot import "${specifier.slice(0, shownMaxLength)}" in a plugin: it is not in its bundle, which holds the files and packages that its imports name literally`,
      );
    },
  });
}
