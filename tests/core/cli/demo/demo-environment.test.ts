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

describe('returnit start --demo', { timeout: 180_000 }, () => {
  /** What the plugin says when it starts without a key. */
  const isOff = /webhooks are off: WEBHOOKS_SECRET_KEY is not set/;
  const run = async (dataDir: string, args: readonly string[], env = {}): Promise<string> => {
    await using core = startCore({ dataDir, args: ['start', ...args], env });
    await core.ready();
    core.signal('SIGTERM');
    await core.exited;
    return readFile(join(dataDir, 'returnit.log'), 'utf8');
  };

  it('lets partners have webhooks, and says without it what is not set', async (t) => {
    const dataDir = join(await createFolder(t), 'data');
    assert.match(await run(dataDir, ['--plugins', 'webhooks']), isOff);
    const demo = join(await createFolder(t), 'demo');
    assert.doesNotMatch(await run(demo, ['--demo']), isOff);
    const own = join(await createFolder(t), 'own');
    assert.match(await run(own, ['--demo'], { WEBHOOKS_SECRET_KEY: '' }), isOff, 'what the process has goes before');
  });
});
