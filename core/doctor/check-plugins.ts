import { join } from 'node:path';
import { readLock } from '#core/plugin-host/lock/lock.ts';
import { verifyLock } from '#core/plugin-host/lock/lock-verify.ts';
import type { DiscoveredPlugin } from '#core/plugin-host/manifest/discovery.ts';
import { grantCommand, lockCommand } from '#core/plugin-host/permissions/grant-command.ts';
import { readGrants } from '#core/plugin-host/permissions/grants.ts';
import { collectRules, missingGrants } from '#core/plugin-host/permissions/permission-rules.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

export interface PluginsToCheck {
  /** With `plugins.lock` and `grants.json`. */
  readonly folder: string;
  readonly plugins: readonly DiscoveredPlugin[];
  /** Then the core lets changed files pass. */
  readonly development: boolean;
}

/** What keeps a plugin from being started: its files, and permissions that nobody has decided about. */
export async function checkPlugins(options: PluginsToCheck): Promise<readonly Finding[]> {
  return [...(await checkLock(options)), ...(await checkGrants(options))];
}

async function checkLock({ folder, plugins, development }: PluginsToCheck): Promise<readonly Finding[]> {
  const lock = await readLock(join(folder, 'plugins.lock'));
  const { held, notices } = await verifyLock({ plugins, lock, development });
  const findings = [
    ...held.map(({ plugin, error }) =>
      failed(
        'plugins',
        // What differs and what to do stands in the lines below.
        error.message.split('\n', 1).join(''),
        `Look at what has changed, and accept it with: ${lockCommand(plugin)}`,
      ),
    ),
    ...notices.map((notice) =>
      warning('plugins', notice, 'Elsewhere it would be held. Accept it with: npx returnit plugins lock'),
    ),
  ];
  return findings.length > 0 ? findings : [ok('plugins', `${plugins.length} plugins are as plugins.lock has them`)];
}

async function checkGrants({ folder, plugins }: PluginsToCheck): Promise<readonly Finding[]> {
  const grants = await readGrants(join(folder, 'grants.json'));
  const findings = plugins.flatMap((plugin) => {
    const { manifest } = plugin;
    const missing = missingGrants(collectRules({ manifest, grants }));
    if (missing.length === 0) return [];
    return warning(
      'permissions',
      `${manifest.name} asks for ${missing.length} that nobody has decided about: no start without an answer`,
      `npx returnit plugins permissions ${manifest.name}, then ${grantCommand(plugin, missing)}`,
    );
  });
  return findings.length > 0 ? findings : [ok('permissions', 'nobody waits for a permission')];
}
