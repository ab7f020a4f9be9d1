import { join } from 'node:path';
import type { Config } from '#core/config/settings.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Audit } from './audit/audit.ts';
import { discoverPlugins, type DiscoveredPlugin } from './manifest/discovery.ts';
import { resolveGrants, type ResolveGrantsOptions } from './permissions/grants-resolve.ts';
import { verifyLock, type HeldPlugin } from './lock/lock-verify.ts';
import { readLock } from './lock/lock.ts';
import type { RunRules } from './permissions/permission-rules.ts';
import { createPermissions, type Permissions } from './permissions/permissions.ts';

export interface AdmitPluginsOptions {
  readonly config: Pick<Config, 'plugins' | 'pluginPaths' | 'environment'>;
  /** Folder that holds `plugins/`. */
  readonly projectDir: string;
  /** `--allow-…` and `--deny-…` of this start. */
  readonly flags: readonly RunRules[];
  /** Where to ask for missing grants. */
  readonly terminal?: ResolveGrantsOptions['terminal'];
  /** Variables for plugins that are granted them, where the process has none of the name. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  readonly audit: Audit;
  readonly logger: Logger;
}

export interface AdmittedPlugins {
  /** May start. */
  readonly plugins: readonly DiscoveredPlugin[];
  /** Must not: they differ from plugins.lock. */
  readonly held: readonly HeldPlugin[];
  readonly permissions: Permissions;
  /** Beside the variables of the process. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Which plugins may start, and with which permissions: manifests, then the lock, then the grants. No code of theirs runs.
 *
 * @throws {AppError} INVALID_MANIFEST, INVALID_GRANTS, GRANT_MISSING, PLUGIN_UNKNOWN
 */
export async function admitPlugins(options: AdmitPluginsOptions): Promise<AdmittedPlugins> {
  const { config, projectDir, audit, logger } = options;
  const folder = join(projectDir, 'plugins');
  const discovered = await discoverPlugins({
    folders: [
      { source: 'project', path: folder },
      ...config.pluginPaths.map((path) => ({ source: 'external' as const, path })),
    ],
    only: config.plugins,
  });
  const verified = await verifyLock({
    plugins: discovered,
    lock: await readLock(join(folder, 'plugins.lock')),
    development: config.environment === 'development',
  });
  for (const { error } of verified.held) logger.error({ code: error.code, ...error.details }, error.message);
  for (const notice of verified.notices) logger.info(notice);
  const manifests = verified.admitted.map(({ manifest }) => manifest);
  const { grants, flags, warnings } = await resolveGrants({
    plugins: verified.admitted,
    grantsPath: join(folder, 'grants.json'),
    heldNames: verified.held.map(({ plugin }) => plugin.manifest.name),
    flags: options.flags,
    ...(options.terminal === undefined ? {} : { terminal: options.terminal }),
    onGranted: ({ plugin, permission, resource }) =>
      audit.grantChanged({
        plugin,
        access: { permission, resource },
        decision: 'grant',
        rule: 'answered "always" at the start',
      }),
  });
  for (const warning of warnings) logger.warn(warning);
  return {
    plugins: verified.admitted,
    held: verified.held,
    permissions: createPermissions({ plugins: manifests, grants, flags }),
    environment: options.environment ?? {},
  };
}
