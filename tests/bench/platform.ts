import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startApp, type App } from '#core/app.ts';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import { discoverPlugins } from '#core/plugin-host/manifest/discovery.ts';
import { writeGrantChange } from '#core/plugin-host/permissions/grants-file.ts';
import { createLockEntry, lockKey, writeLock } from '#core/plugin-host/lock/lock.ts';

export interface BenchPlatform {
  readonly app: App;
  readonly token: string;
  post<T>(route: string, body: object): Promise<T>;
  stop(): Promise<void>;
}

/** A platform in this process with these plugin folders alone, all that they ask for granted. */
export async function startBenchPlatform(options: {
  readonly plugins: readonly string[];
  readonly config?: Partial<Config>;
}): Promise<BenchPlatform> {
  const projectDir = await mkdtemp(path.join(tmpdir(), 'returnit-bench-'));
  const pluginsDir = path.join(projectDir, 'plugins');
  await mkdir(pluginsDir);
  for (const folder of options.plugins)
    await cp(folder, path.join(pluginsDir, path.basename(folder)), { recursive: true });
  await grantAll(pluginsDir);
  const app = await startApp({
    config: loadConfig(
      {},
      {
        dataDir: path.join(projectDir, 'data'),
        httpPort: 0,
        mqttPort: 0,
        opsPort: 0,
        logLevel: 'error',
        // What is measured is what a call costs, not when its budget ends.
        pluginCallsPerSecondMax: 10_000_000,
        ...options.config,
      },
    ),
    admission: { projectDir, flags: [] },
  });
  const token = await app.authenticator.issueToken({ role: 'ops', subject: 'bench', expiresInSeconds: 3600 });
  return {
    app,
    token,
    async post<T>(route: string, body: object): Promise<T> {
      const response = await fetch(`${app.addresses.api}${route}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`POST ${route} answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as T;
    },
    async stop() {
      await app.stop();
      await rm(projectDir, { recursive: true, force: true });
    },
  };
}

async function grantAll(pluginsDir: string): Promise<void> {
  const plugins = await discoverPlugins({ folders: [{ source: 'project', path: pluginsDir }] });
  for (const { manifest } of plugins) {
    const permissions = Object.keys(manifest.permissions);
    await writeGrantChange(path.join(pluginsDir, 'grants.json'), {
      plugin: manifest.name,
      allow: Object.fromEntries(permissions.map((permission) => [permission, true])),
    });
  }
  const entries = await Promise.all(
    plugins.map(async (plugin) => [lockKey(plugin), await createLockEntry(plugin)] as const),
  );
  await writeLock(path.join(pluginsDir, 'plugins.lock'), { version: 1, plugins: Object.fromEntries(entries) });
}
