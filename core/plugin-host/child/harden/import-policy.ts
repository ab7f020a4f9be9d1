import { isBuiltin, registerHooks } from 'node:module';
import type { ChildBoot } from '../boot.ts';
import { NotCapable } from '../plugin-error.ts';
import { insteadOf, type BuiltinPolicy } from './builtin-modules.ts';

const allowedFormats: ReadonlySet<string> = new Set(['module', 'json', 'builtin']);
/** Packages that bring a form for servers without sockets use it: it is built on fetch. */
const extraConditions = ['workerd', 'worker'];

/**
 * What plugin code may import: its own files, packages, and the harmless modules of Node; ECMAScript modules only,
 * because a CommonJS module is handed `require` and with it all of Node. It teaches more than it protects: the
 * permission model stands behind it.
 */
export function installImportPolicy(boot: ChildBoot, isAllowedBuiltin: BuiltinPolicy): void {
  const ownPrefix = boot.coreUrl;
  const pluginPrefix = boot.mainUrl.slice(0, boot.mainUrl.lastIndexOf('/') + 1);
  const isOwn = (url: string | undefined): boolean =>
    url !== undefined && url.startsWith(ownPrefix) && !url.startsWith(pluginPrefix) && Object.hasOwn(boot.sources, url);

  registerHooks({
    resolve(specifier, context, next) {
      if (isOwn(context.parentURL)) return next(specifier, context);
      if (isBuiltin(specifier)) {
        if (isAllowedBuiltin(specifier)) return next(specifier, context);
        throw new NotCapable(`Cannot import "${specifier}" in a plugin${insteadOf(specifier)}`);
      }
      if (specifier.startsWith('#plugin-api')) {
        throw new NotCapable(`Cannot import "${specifier}" in a plugin: it holds types alone, use 'import type'`);
      }
      const resolved = resolve(specifier, context, next);
      if (isOwn(resolved.url) || !resolved.url.startsWith('file:')) {
        if (resolved.format === 'builtin' && isAllowedBuiltin(resolved.url)) return resolved;
        throw new NotCapable(
          `Cannot import "${specifier.slice(0, 200)}" in a plugin: it is neither a package nor a file`,
        );
      }
      if (!boot.importable.some((folder) => resolved.url.startsWith(folder))) {
        throw new NotCapable(
          `Cannot import "${specifier.slice(0, 200)}" in a plugin: it is outside its folder and its packages`,
        );
      }
      return resolved;
    },
    load(url, context, next) {
      const loaded = next(url, context);
      if (loaded.format != null && allowedFormats.has(loaded.format)) return loaded;
      throw new NotCapable(
        `Cannot import ${url} in a plugin: it is ${loaded.format ?? 'of an unknown format'}, only ECMAScript modules and JSON are loaded`,
      );
    },
  });

  type Resolve = NonNullable<Parameters<typeof registerHooks>[0]['resolve']>;
  /** The plugin's own packages come first, then those of the project. */
  function resolve(...[specifier, context, next]: Parameters<Resolve>): ReturnType<Resolve> {
    const wider = { ...context, conditions: [...extraConditions, ...context.conditions] };
    try {
      return next(specifier, wider);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      const isPackage = !/^([./#]|[a-z]+:)/.test(specifier);
      if (!isPackage || (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'ERR_ACCESS_DENIED')) throw error;
      return next(specifier, { ...wider, parentURL: boot.packagesUrl });
    }
  }
}
