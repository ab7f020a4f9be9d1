import { isAbsolute, join } from 'node:path';
import { readGrantedEnvironment } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import type { DiscoveredPlugin } from '../manifest/discovery.ts';
import { effectiveGrants } from '../permissions/permission-rules.ts';
import type { Permissions } from '../permissions/permissions.ts';
import { toSandboxLimits } from './sandbox-limits.ts';
import type { SandboxOptions } from './sandbox.ts';

export interface GivenToPlugins {
  readonly permissions: Permissions;
  /** Where the process has no variable of the name. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  readonly config: Config;
}

/** What a plugin's process is given: its code, the granted variables and files, and its limits. */
export function toSandboxOptions(
  { manifest, folder }: DiscoveredPlugin,
  { permissions, environment = {}, config }: GivenToPlugins,
): SandboxOptions {
  const rules = permissions.rulesOf(manifest.name);
  const granted = (permission: 'env' | 'read'): readonly string[] =>
    rules === undefined ? [] : effectiveGrants(permission, rules[permission]);
  return {
    plugin: { name: manifest.name, version: manifest.version },
    folder,
    main: manifest.main,
    env: { ...readGrantedEnvironment(granted('env'), environment), ...readGrantedEnvironment(granted('env')) },
    read: granted('read').map((path) => (isAbsolute(path) ? path : join(folder, path))),
    limits: toSandboxLimits(config, manifest.limits),
  };
}
