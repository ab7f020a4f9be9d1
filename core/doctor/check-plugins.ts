import { join } from 'node:path';
import { readLock } from '#core/plugin-host/lock/lock.ts';
import { verifyLock } from '#core/plugin-host/lock/lock-verify.ts';
import type { DiscoveredPlugin } from '#core/plugin-host/manifest/discovery.ts';
import { readGrants } from '#core/plugin-host/permissions/grants.ts';
import { collectRules, missingGrants } from '#core/plugin-host/permissions/permission-rules.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

/** What keeps a plugin from being started: its files, and permissions that nobody has decided about. */
export async function checkPlugins(folder: string, plugins: readonly DiscoveredPlugin[]): Promise<readonly Finding[]> {
  const lock = await readLock(join(folder, 'plugins.lock'));
  const { held } = await verifyLock({ plugins, lock, development: false });
  const grants = await readGrants(join(folder, 'grants.json'));
  const missing = plugins.flatMap(({ manifest }) => {
    const rules = missingGrants(collectRules({ manifest, grants }));
    return rules.length === 0 ? [] : [`${manifest.name} (${rules.length})`];
  });
  return [
    held.length === 0
      ? ok('plugins', `${plugins.length} plugins are as plugins.lock has them`)
      : failed(
          'plugins',
          held.map(({ plugin, reason }) => `${plugin.manifest.name}: ${reason}`).join('; '),
          'Look at what has changed, and accept it with: npx returnit plugins lock <name>',
        ),
    missing.length === 0
      ? ok('permissions', 'nobody waits for a permission')
      : warning(
          'permissions',
          `not decided: ${missing.join(', ')}`,
          'npx returnit plugins permissions <name>, then npx returnit plugins grant <name> …',
        ),
  ];
}
