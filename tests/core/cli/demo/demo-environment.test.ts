import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadDemoEnvironment } from '#core/cli/demo/demo-environment.ts';
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

describe('returnit start --demo', { timeout: 600_000 }, () => {
  /** What the plugin says when it starts without a key. */
  const isOff = /webhooks are off: WEBHOOKS_SECRET_KEY is not set/;
  const args = ['start', '--demo', '--plugins', 'webhooks'];

  /** It ends by itself: there is nobody to take its orders. */
  async function run(dataDir: string, env: Readonly<Record<string, string>>): Promise<string> {
    const patient = { PLUGIN_BOOT_TIMEOUT_MS: '120000', PLUGIN_HEARTBEAT_TIMEOUT_MS: '60000' };
    await using core = startCore({ dataDir, args, env: { ...patient, ...env } });
    await core.exited;
    assert.match(core.stdout(), /webhooks ready/);
    return readFile(join(dataDir, 'returnit.log'), 'utf8');
  }

  it('lets partners have webhooks without a key of the operator', async (t) => {
    assert.doesNotMatch(await run(join(await createFolder(t), 'data'), {}), isOff);
  });

  it('leaves what the process has as it is', async (t) => {
    assert.match(await run(join(await createFolder(t), 'data'), { WEBHOOKS_SECRET_KEY: '' }), isOff);
  });
});
