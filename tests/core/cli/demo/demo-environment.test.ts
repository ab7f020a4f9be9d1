import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadDemoEnvironment } from '#core/cli/demo/demo-environment.ts';
import { loadConfig } from '#core/config/config.ts';
import { discoverPlugins } from '#core/plugin-host/manifest/discovery.ts';
import { readGrants } from '#core/plugin-host/permissions/grants.ts';
import { createPermissions } from '#core/plugin-host/permissions/permissions.ts';
import { toSandboxOptions } from '#core/plugin-host/sandbox/sandbox-options.ts';
import { projectDir } from '../../../support/project-copy.ts';
import { createFolder } from '../../plugin-host/plugin-project.ts';
import { startCore } from '../started-core.ts';

describe('loadDemoEnvironment()', () => {
  it('makes a key once, for its owner alone', async (t) => {
    const dataDir = join(await createFolder(t), 'data');
    const made = await loadDemoEnvironment(dataDir);
    assert.equal(Buffer.from(made['WEBHOOKS_SECRET_KEY'] ?? '', 'base64').length, 32);
    assert.deepEqual(await loadDemoEnvironment(dataDir), made);
    const file = join(dataDir, 'keys', 'demo-webhooks-key');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700);
    const other = await loadDemoEnvironment(join(await createFolder(t), 'data'));
    assert.notDeepEqual(other, made);
  });
});

describe('toSandboxOptions()', () => {
  it('hands over what is granted: variables of the process, then those beside them', async () => {
    const folder = join(projectDir, 'plugins');
    const [webhooks, ...others] = await discoverPlugins({
      folders: [{ source: 'project', path: folder }],
      only: ['webhooks'],
    });
    assert.ok(webhooks !== undefined && others.length === 0);
    const grants = await readGrants(join(folder, 'grants.json'));
    const permissions = createPermissions({ plugins: [webhooks.manifest], grants, flags: [] });
    const config = loadConfig({});
    const environment = { WEBHOOKS_SECRET_KEY: 'of the demo', PAYMENTS_PROVIDER: 'not granted to webhooks' };
    const keyOf = (): unknown => toSandboxOptions(webhooks, { permissions, environment, config }).env;
    assert.deepEqual(keyOf(), { WEBHOOKS_SECRET_KEY: 'of the demo' });
    process.env['WEBHOOKS_SECRET_KEY'] = '';
    try {
      assert.deepEqual(keyOf(), { WEBHOOKS_SECRET_KEY: '' });
    } finally {
      delete process.env['WEBHOOKS_SECRET_KEY'];
    }
    assert.deepEqual(toSandboxOptions(webhooks, { permissions, config }).env, {});
  });
});

describe('returnit start --demo', { timeout: 600_000 }, () => {
  it('lets partners have webhooks without a key of the operator', async (t) => {
    const dataDir = join(await createFolder(t), 'data');
    const env = { PLUGIN_BOOT_TIMEOUT_MS: '120000', PLUGIN_HEARTBEAT_TIMEOUT_MS: '60000' };
    await using core = startCore({ dataDir, args: ['start', '--demo', '--plugins', 'webhooks'], env });
    // It ends by itself: there is nobody to take its orders.
    await core.exited;
    const log = await readFile(join(dataDir, 'returnit.log'), 'utf8');
    assert.match(log, /plugin webhooks is ready/);
    assert.doesNotMatch(log, /webhooks are off/);
  });
});
