import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startApp, type App } from '#core/app.ts';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import { copyProject, type ProjectCopy } from '../../support/project-copy.ts';

interface Started {
  readonly app: App;
  readonly logs: readonly Readonly<Record<string, unknown>>[];
}

interface Readyz {
  readonly checks: readonly { readonly name: string; readonly ready: boolean; readonly state: string }[];
}

describe('startApp(), of what admission lets start', { timeout: 120_000 }, () => {
  let project: ProjectCopy;
  let dataDir: string;

  before(async () => {
    project = await copyProject({ fixtures: ['faulty'], ungranted: ['faulty'] });
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-admission-'));
  });
  after(async () => {
    await project.remove();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function start(config: Partial<Config>): Promise<Started> {
    const logs: Record<string, unknown>[] = [];
    const app = await startApp({
      config: loadConfig({}, { httpPort: 0, mqttPort: 0, opsPort: 0, dataDir, ...config }),
      admission: { projectDir: project.dir, flags: [] },
      logDestination: { write: (line) => void logs.push(JSON.parse(line) as Record<string, unknown>) },
    });
    return { app, logs };
  }

  const call = async (app: App, path: string): Promise<number> => {
    const token = await app.authenticator.issueToken({ role: 'ops', subject: 'kim', expiresInSeconds: 60 });
    return (await fetch(`${app.addresses.api}${path}`, { headers: { authorization: `Bearer ${token}` } })).status;
  };
  const states = (app: App): Record<string, string> =>
    Object.fromEntries(app.plugins().map(({ name, state }) => [name, state]));

  it('fails when a grant is missing, and leaves nothing running: the next start takes the data folder', async () => {
    await assert.rejects(start({ plugins: ['notifications', 'faulty'] }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'GRANT_MISSING');
      assert.match(error.message, /faulty@1\.0\.0 asks for jobs access to "faulty\.work"/);
      return true;
    });
    const { app } = await start({ plugins: ['notifications'] });
    assert.deepEqual(states(app), { notifications: 'ready' });
    await app.stop();
  });

  it('holds a plugin whose files are not those of the lock; the node is ready, the others run', async () => {
    await grantAll(project);
    await appendFile(join(project.dir, 'plugins/faulty/plugin.ts'), '\n// changed after the review\n');
    const { app, logs } = await start({ plugins: ['orders', 'faulty'], environment: 'production' });
    try {
      assert.deepEqual(states(app), { orders: 'ready', faulty: 'held' });
      const ready = await fetch(`${app.addresses.ops}/readyz`);
      const { checks } = (await ready.json()) as Readyz;
      const ofPlugins = checks.filter(({ name }) => name.startsWith('plugin:'));
      assert.equal(ready.status, 200);
      assert.deepEqual(Object.fromEntries(ofPlugins.map((check) => [check.name, `${check.ready} ${check.state}`])), {
        'plugin:orders': 'true ready',
        'plugin:faulty': 'false held',
      });
      assert.deepEqual([await call(app, '/orders'), await call(app, '/faulty/handled')], [200, 503]);
      const told = logs.find(({ code }) => code === 'LOCK_MISMATCH');
      assert.match(
        String(told?.['msg']),
        /^Cannot start faulty@1\.0\.0: .*\n.* run: npx returnit plugins lock faulty$/s,
      );
    } finally {
      await app.stop();
    }
  });

  it('lets changed files pass in development, and says so', async () => {
    const { app, logs } = await start({ plugins: ['faulty'] });
    try {
      assert.deepEqual(states(app), { faulty: 'ready' });
      assert.equal(await call(app, '/faulty/handled'), 200);
      assert.ok(logs.some(({ level, msg }) => level === 'info' && /faulty.*plugins\.lock/.test(String(msg))));
    } finally {
      await app.stop();
    }
  });
});

async function grantAll(project: ProjectCopy): Promise<void> {
  const grants = {
    orders: { http: true, db: true, jobs: true, events: true, env: true },
    faulty: { http: true, jobs: true, events: true, mqtt: true },
  };
  await writeFile(join(project.dir, 'plugins/grants.json'), JSON.stringify({ grants }));
}
