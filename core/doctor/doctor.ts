import { join } from 'node:path';
import type { Config } from '#core/config/settings.ts';
import { discoverPlugins } from '#core/plugin-host/manifest/discovery.ts';
import { checkBroker } from './check-broker.ts';
import { checkConfiguration } from './check-configuration.ts';
import { checkCore } from './check-core.ts';
import { checkDataFolder } from './check-data-folder.ts';
import { checkDatabase } from './check-database.ts';
import { checkPlugins } from './check-plugins.ts';
import { failed, type Finding } from './finding.ts';

export interface DoctorOptions {
  readonly config: Pick<
    Config,
    'dataDir' | 'databaseUrl' | 'dbPoolMax' | 'environment' | 'mqttUrl' | 'pluginPaths' | 'plugins'
  >;
  readonly projectDir: string;
  /** Names of the variables that are set. */
  readonly variables: readonly string[];
  /** For each answer from outside. @default 5000 */
  readonly timeoutMs?: number;
}

/** Looks at everything that a node needs, and changes nothing. What cannot be looked at is a finding as well. */
export async function examine(options: DoctorOptions): Promise<readonly Finding[]> {
  const { config, projectDir, variables, timeoutMs = 5000 } = options;
  const { dataDir, environment, pluginPaths, mqttUrl } = config;
  const folder = join(projectDir, 'plugins');
  const plugins = discoverPlugins({
    folders: [
      { source: 'project', path: folder },
      ...pluginPaths.map((path) => ({ source: 'external' as const, path })),
    ],
    only: config.plugins,
  });
  const checks: readonly (readonly [string, () => Promise<readonly Finding[]>])[] = [
    ['configuration', () => Promise.resolve(checkConfiguration(variables))],
    ['data folder', () => checkDataFolder(dataDir)],
    [
      'plugins',
      async () => checkPlugins({ folder, plugins: await plugins, development: environment === 'development' }),
    ],
    ['core', () => checkCore(dataDir, timeoutMs)],
    ['database', async () => checkDatabase({ config, timeoutMs, plugins: await plugins })],
    ['broker', () => checkBroker({ url: mqttUrl, timeoutMs })],
  ];
  const found = await Promise.all(
    checks.map(([check, run]) =>
      run().catch((error: unknown): readonly Finding[] => [
        failed(check, (error as Error).message, 'Mend this first: what it stands before was not looked at.'),
      ]),
    ),
  );
  return found.flat();
}
