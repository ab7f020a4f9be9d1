import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { createSandboxes, type SandboxOptions } from '#core/plugin-host/sandbox/sandbox.ts';
import { toSandboxLimits } from '#core/plugin-host/sandbox/sandbox-limits.ts';
import { supervisePlugin } from '../../../support/supervised-plugin.ts';

const timeout = 30_000;

describe('createSandboxes()', { timeout: 60_000 }, () => {
  it('leaves no process behind when the core is killed, even while the plugin loops', { timeout }, async () => {
    const script = new URL('../../../fixtures/supervising-core.ts', import.meta.url).pathname;
    const core = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = (await once(core.stdout, 'data')) as [Buffer];
    const pid = Number(String(line));
    assert.ok(existsSync(`/proc/${pid}`));
    core.kill('SIGKILL');
    // An orphan that has ended may stay as a zombie where nobody reaps it.
    while (existsSync(`/proc/${pid}`) && !/State:\s+Z/.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });

  it('starts the process with an empty environment', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'echo' });
    await plugin.supervisor.start();
    assert.equal(readFileSync(`/proc/${plugin.supervisor.pid}/environ`, 'utf8'), '');
  });

  it('starts the process in a folder that may be read: Node lets its thread do so', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'echo' });
    await plugin.supervisor.start();
    assert.equal(readlinkSync(`/proc/${plugin.supervisor.pid}/cwd`), dirname(realpathSync(process.execPath)));
  });
});

describe('startAhead()', { timeout: 60_000 }, () => {
  const sandboxes = createSandboxes();
  after(() => sandboxes.stop());
  const optionsFor = (fixture: string, env: Readonly<Record<string, string>> = {}): SandboxOptions => ({
    plugin: { name: fixture, version: '1.0.0' },
    folder: join(import.meta.dirname, '../../../fixtures/plugins', fixture),
    env,
    read: [],
    limits: toSandboxLimits(loadConfig({})),
  });
  async function take(options: SandboxOptions): Promise<{ pid: number; kill(): Promise<void> }> {
    const { process: child } = await sandboxes.start(options);
    return {
      pid: child.pid,
      async kill() {
        child.kill('SIGKILL');
        await child.exited;
      },
    };
  }
  const firstCall = async (options: SandboxOptions): Promise<string> => {
    const { data, process: child } = await sandboxes.start(options);
    const [chunk] = (await once(data, 'data')) as [Buffer];
    child.kill('SIGKILL');
    await child.exited;
    return chunk.toString();
  };

  it('hands out the process once, with what it has called meanwhile', { timeout }, async () => {
    sandboxes.startAhead(optionsFor('echo', { ECHO_KEY: 'granted' }));
    assert.match(await firstCall(optionsFor('echo', { ECHO_KEY: 'granted' })), /"http\.route"/);
    const [one, other] = [await take(optionsFor('echo')), await take(optionsFor('echo'))];
    assert.notEqual(one.pid, other.pid);
    await Promise.all([one.kill(), other.kill()]);
  });

  it('starts anew what was to be given something else', { timeout }, async () => {
    sandboxes.startAhead(optionsFor('echo', { ECHO_KEY: 'granted' }));
    assert.doesNotMatch(await firstCall(optionsFor('echo')), /granted/);
  });

  it('starts anew what has died, so that its supervisor sees why', { timeout }, async () => {
    sandboxes.startAhead(optionsFor('boot-failure'));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { process: child } = await sandboxes.start(optionsFor('boot-failure'));
    assert.equal(child.hasExited, false);
    await child.exited;
  });

  it('says when it is asked for why a process could not be started', { timeout }, async () => {
    sandboxes.startAhead(optionsFor('missing'));
    await assert.rejects(sandboxes.start(optionsFor('missing')), { code: 'INVALID_MANIFEST' });
  });

  it('ends what nobody asked for', { timeout }, async () => {
    const own = createSandboxes();
    const before = childrenOf(process.pid);
    own.startAhead(optionsFor('echo'));
    const started = (): string[] => childrenOf(process.pid).filter((pid) => !before.includes(pid));
    while (started().flatMap(childrenOf).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const [plugin = ''] = started().flatMap(childrenOf);
    await own.stop();
    assert.equal(existsSync(`/proc/${plugin}`), false);
  });
});

function childrenOf(pid: number | string): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
}
