import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { discoverPlugins, type DiscoveredPlugin } from '#core/plugin-host/manifest/discovery.ts';
import {
  createLockEntry,
  emptyLock,
  lockKey,
  parseLock,
  readLock,
  writeLock,
  type Lock,
} from '#core/plugin-host/lock/lock.ts';
import { verifyLock } from '#core/plugin-host/lock/lock-verify.ts';
import { hashPluginTree } from '#core/plugin-host/manifest/plugin-files.ts';
import { createFolder, writePlugin } from '../plugin-project.ts';

const manifest = (hosts: readonly string[], version = '1.0.0') => ({
  name: 'payments',
  version,
  permissions: { net: { hosts, why: 'charge cards' } },
});

async function find(
  folder: string,
  source: DiscoveredPlugin['source'] = 'project',
): Promise<readonly DiscoveredPlugin[]> {
  return discoverPlugins({ folders: [{ source, path: folder }] });
}

async function lockAll(plugins: readonly DiscoveredPlugin[]): Promise<Lock> {
  const entries = await Promise.all(
    plugins.map(async (plugin) => [lockKey(plugin), await createLockEntry(plugin)] as const),
  );
  return { version: 1, plugins: Object.fromEntries(entries) };
}

async function lockedProject(t: TestContext): Promise<{ folder: string; lock: Lock }> {
  const folder = await createFolder(t);
  await writePlugin(folder, manifest(['api.stripe.com:443']));
  return { folder, lock: await lockAll(await find(folder)) };
}

describe('verifyLock()', () => {
  it('admits what is as it was', async (t) => {
    const { folder, lock } = await lockedProject(t);
    const result = await verifyLock({ plugins: await find(folder), lock, development: false });
    assert.deepEqual([result.admitted.length, result.held, result.notices], [1, [], []]);
  });

  it('holds a plugin that is not in the lock', async (t) => {
    const { folder } = await lockedProject(t);
    const { admitted, held } = await verifyLock({ plugins: await find(folder), lock: emptyLock, development: true });
    assert.deepEqual([admitted, held[0]?.reason, held[0]?.error.code], [[], 'not-locked', 'LOCK_MISMATCH']);
    assert.equal(
      held[0]?.error.message,
      'Cannot start payments@1.0.0: it is not in plugins/plugins.lock\n  review what it asks for, then run: npx returnit plugins lock payments',
    );
  });

  it('holds a plugin that asks for more, in development too, and prints the difference', async (t) => {
    const { folder, lock } = await lockedProject(t);
    await writePlugin(folder, manifest(['hooks.stripe.com:443', '10.0.0.0/8:443'], '1.1.0'));
    const { held } = await verifyLock({ plugins: await find(folder), lock, development: true });
    assert.equal(
      held[0]?.error.message,
      `Cannot start payments@1.1.0: it asks for more than version 1.0.0 in plugins/plugins.lock
  + net hooks.stripe.com:443
  + net 10.0.0.0/8:443
  - net api.stripe.com:443
  review what it asks for, then run: npx returnit plugins lock payments`,
    );
  });

  it('holds changed files, except in development where it says so', async (t) => {
    const { folder, lock } = await lockedProject(t);
    await writePlugin(folder, manifest(['api.stripe.com:443']), { 'plugin.ts': 'export const plugin = {};' });
    const strict = await verifyLock({ plugins: await find(folder), lock, development: false });
    assert.equal(
      strict.held[0]?.error.message,
      'Cannot start payments@1.0.0: its files differ from version 1.0.0 in plugins/plugins.lock\n  review the change, then run: npx returnit plugins lock payments',
    );
    const lax = await verifyLock({ plugins: await find(folder), lock, development: true });
    assert.deepEqual(
      [lax.held, lax.notices],
      [[], ['payments@1.0.0 differs from version 1.0.0 in plugins/plugins.lock: let pass in development']],
    );
  });

  it('does not hold a plugin in development that asks for less', async (t) => {
    const { folder, lock } = await lockedProject(t);
    await writePlugin(folder, { name: 'payments' });
    const { held, notices } = await verifyLock({ plugins: await find(folder), lock, development: true });
    assert.deepEqual(
      [held, notices],
      [
        [],
        [
          'payments@1.0.0 differs from version 1.0.0 in plugins/plugins.lock (- net api.stripe.com:443): let pass in development',
        ],
      ],
    );
  });

  it("does not let an external plugin take a project plugin's place", async (t) => {
    const { folder, lock } = await lockedProject(t);
    const { held } = await verifyLock({ plugins: await find(folder, 'external'), lock, development: true });
    assert.equal(held[0]?.reason, 'not-locked');
    assert.match(
      held[0]?.error.message ?? '',
      new RegExp(`npx returnit plugins lock payments --plugin-path ${folder}/payments$`),
    );
  });
});

describe('readLock() and writeLock()', () => {
  it('write what they read', async (t) => {
    const { folder, lock } = await lockedProject(t);
    const path = join(folder, 'plugins.lock');
    assert.deepEqual(await readLock(path), emptyLock);
    await writeLock(path, lock);
    assert.deepEqual(await readLock(path), lock);
  });

  it('notices that the requests were edited by hand', async (t) => {
    const { folder, lock } = await lockedProject(t);
    await writeLock(join(folder, 'plugins.lock'), lock);
    const text = (await readFile(join(folder, 'plugins.lock'), 'utf8')).replace('api.stripe.com:443', '*:443');
    assert.throws(() => parseLock(text, 'plugins/plugins.lock'), {
      code: 'LOCK_MISMATCH',
      message: /plugins\.payments\.permissions must be the hash of "requested": it was edited by hand$/,
    });
  });
});

describe('hashPluginTree()', () => {
  it('changes with any name or content, and not with node_modules', async (t) => {
    const folder = await writePlugin(await createFolder(t), { name: 'orders' }, { 'a.ts': 'b', 'README.md': 'x' });
    const before = await hashPluginTree(folder);
    await mkdir(join(folder, 'node_modules/x'), { recursive: true });
    await writeFile(join(folder, 'node_modules/x/index.js'), '1');
    assert.equal(await hashPluginTree(folder), before);
    await writeFile(join(folder, 'README.md'), 'y');
    const after = await hashPluginTree(folder);
    assert.notEqual(after, before);
    await writeFile(join(folder, 'b.ts'), '');
    assert.notEqual(await hashPluginTree(folder), after);
  });
});

describe('discoverPlugins()', () => {
  it('finds the plugins of folders, and single ones, by name', async (t) => {
    const [project, outside] = [await createFolder(t), await createFolder(t)];
    await writePlugin(project, { name: 'orders' });
    await writePlugin(project, { name: 'drivers' });
    await writeFile(join(project, 'grants.json'), '{}');
    const extra = await writePlugin(outside, { name: 'extra' });
    const plugins = await discoverPlugins({
      folders: [
        { source: 'project', path: project },
        { source: 'external', path: extra },
      ],
    });
    assert.deepEqual(
      plugins.map(({ manifest: { name }, source }) => `${name} ${source}`),
      ['drivers project', 'extra external', 'orders project'],
    );
    const some = await discoverPlugins({ folders: [{ source: 'project', path: project }], only: ['orders'] });
    assert.deepEqual(
      some.map(({ manifest: { name } }) => name),
      ['orders'],
    );
  });

  it('refuses an unknown name, and says which there are', async (t) => {
    const folder = await createFolder(t);
    await writePlugin(folder, { name: 'orders' });
    await writePlugin(folder, { name: 'drivers' });
    await assert.rejects(discoverPlugins({ folders: [{ source: 'project', path: folder }], only: ['order'] }), {
      code: 'PLUGIN_UNKNOWN',
      message: 'Cannot find the plugin "order": there are drivers, orders. Did you mean "orders"?',
    });
  });

  it('refuses two plugins of one name', async (t) => {
    const [a, b] = [await createFolder(t), await createFolder(t)];
    await writePlugin(a, { name: 'orders' });
    await writePlugin(b, { name: 'orders' });
    await assert.rejects(
      discoverPlugins({
        folders: [
          { source: 'project', path: a },
          { source: 'external', path: b },
        ],
      }),
      {
        code: 'INVALID_MANIFEST',
        message: `Cannot use two plugins named "orders": ${a}/orders and ${b}/orders. Names must be unique`,
      },
    );
  });

  it('refuses links out of the folder, for a plugin and for a file of it', async (t) => {
    const [project, outside] = [await createFolder(t), await createFolder(t)];
    const folders = [{ source: 'project' as const, path: project }];
    await writePlugin(outside, { name: 'orders' });
    await symlink(join(outside, 'orders'), join(project, 'orders'));
    await assert.rejects(discoverPlugins({ folders }), {
      message: new RegExp(`orders: it is a link out of ${project}, to ${outside}/orders`),
    });
    const [other] = [await createFolder(t)];
    const plugin = await writePlugin(other, { name: 'drivers' });
    await symlink('/etc/passwd', join(plugin, 'data.txt'));
    await assert.rejects(find(other), {
      code: 'INVALID_MANIFEST',
      message: /data\.txt is a link out of the folder, to \/etc\/passwd$/,
    });
  });

  it('refuses a folder without plugin.json, a missing main, a large manifest and a missing path', async (t) => {
    const folder = await createFolder(t);
    const plugin = await writePlugin(folder, { name: 'orders', main: 'other.ts' });
    await assert.rejects(find(folder), {
      message: `Cannot use the plugin "orders": its main module ${plugin}/other.ts is missing`,
    });
    await writeFile(join(plugin, 'plugin.json'), ' '.repeat(70_000));
    await assert.rejects(find(folder), { message: /plugin\.json: it has 70000 bytes, at most 65536 are allowed$/ });
    await assert.rejects(find(join(folder, 'nowhere')), {
      message: `Cannot read the plugin folder "${folder}/nowhere": there is no such folder`,
    });
    const half = await createFolder(t);
    await mkdir(join(half, 'half'));
    await writeFile(join(half, 'half/plugin.ts'), '');
    await assert.rejects(find(half), {
      message: `Cannot use the plugin folder ${half}/half: it has a plugin.ts and no plugin.json`,
    });
  });
});
