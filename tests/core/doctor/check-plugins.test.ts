import assert from 'node:assert/strict';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { examine } from '#core/doctor/doctor.ts';
import type { Finding } from '#core/doctor/finding.ts';
import { createLockEntry, lockKey, writeLock } from '#core/plugin-host/lock/lock.ts';
import { discoverPlugins } from '#core/plugin-host/manifest/discovery.ts';
import { createFolder, writePlugin } from '../plugin-host/plugin-project.ts';

interface Project {
  /** What doctor says of plugins and permissions, as whoever sets these variables. */
  look(environment?: Readonly<Record<string, string>>): Promise<readonly Finding[]>;
  /** With every plugin that is there, as it is. */
  lock(): Promise<void>;
  grant(grants: object): Promise<void>;
  /** As another version's file would. */
  change(plugin: string): Promise<void>;
}

const asksFor = {
  net: { hosts: ['api.stripe.com:443'], why: 'charge cards' },
  events: { publish: ['payment.*'] },
};

async function createProject(t: TestContext): Promise<Project> {
  const projectDir = await createFolder(t);
  const folder = join(projectDir, 'plugins');
  await mkdir(folder);
  await writePlugin(folder, { name: 'idle' });
  await writePlugin(folder, { name: 'payments', permissions: asksFor });
  return {
    async look(environment = {}) {
      const config = loadConfig({ ...environment, DATA_DIR: join(projectDir, 'data') });
      const findings = await examine({ config, projectDir, variables: [] });
      return findings.filter(({ check }) => check === 'plugins' || check === 'permissions');
    },
    async lock() {
      const found = await discoverPlugins({ folders: [{ source: 'project', path: folder }] });
      const entries = await Promise.all(
        found.map(async (plugin) => [lockKey(plugin), await createLockEntry(plugin)] as const),
      );
      await writeLock(join(folder, 'plugins.lock'), { version: 1, plugins: Object.fromEntries(entries) });
    },
    grant: (grants) => writeFile(join(folder, 'grants.json'), JSON.stringify({ grants })),
    change: (plugin) => appendFile(join(folder, plugin, 'plugin.ts'), '// changed\n'),
  };
}

const held = (name: string, why: string): Finding => ({
  check: 'plugins',
  verdict: 'failed',
  says: `Cannot start ${name}@1.0.0: ${why}`,
  todo: `Look at what has changed, and accept it with: npx returnit plugins lock ${name}`,
});
const undecided: Finding = {
  check: 'permissions',
  verdict: 'warning',
  says: 'payments asks for 2 that nobody has decided about: no start without an answer',
  todo: "npx returnit plugins permissions payments, then npx returnit plugins grant payments --allow-events='publish payment.*' --allow-net=api.stripe.com:443",
};
const decided: Finding = { check: 'permissions', verdict: 'ok', says: 'nobody waits for a permission' };
const locked: Finding = { check: 'plugins', verdict: 'ok', says: '2 plugins are as plugins.lock has them' };
const production = { RETURNIT_ENVIRONMENT: 'production' };

describe('examine() of plugins', () => {
  it('says which are held because they are not in the lock, and who has not been granted what', async (t) => {
    const project = await createProject(t);
    const why = 'it is not in plugins/plugins.lock';
    assert.deepEqual(await project.look(), [held('idle', why), held('payments', why), undecided]);
  });

  it('is content when they are as the lock has them and each permission is granted or denied', async (t) => {
    const project = await createProject(t);
    await project.lock();
    assert.deepEqual(await project.look(), [locked, undecided]);
    await project.grant({ payments: { events: true, deny: { net: true } } });
    assert.deepEqual(await project.look(production), [locked, decided]);
    await project.grant({ payments: { net: ['api.stripe.com:443'] } });
    assert.match((await project.look())[1]?.todo ?? '', / grant payments --allow-events='publish payment\.\*'$/);
  });

  it('says that changed files are held, and only seen to where plugins are developed', async (t) => {
    const project = await createProject(t);
    await project.lock();
    await project.grant({ payments: { events: true, net: true } });
    await project.change('idle');
    assert.deepEqual(await project.look(production), [
      held('idle', 'its files differ from version 1.0.0 in plugins/plugins.lock'),
      decided,
    ]);
    const [notice, ...others] = await project.look();
    assert.deepEqual(
      [notice?.verdict, notice?.says],
      ['warning', 'idle@1.0.0 differs from version 1.0.0 in plugins/plugins.lock: let pass in development'],
    );
    assert.deepEqual(others, [decided]);
  });

  it('looks at those alone that are to be started', async (t) => {
    const project = await createProject(t);
    await project.lock();
    await project.change('payments');
    assert.deepEqual(await project.look({ ...production, PLUGINS: 'idle' }), [
      { ...locked, says: '1 plugins are as plugins.lock has them' },
      decided,
    ]);
  });
});
