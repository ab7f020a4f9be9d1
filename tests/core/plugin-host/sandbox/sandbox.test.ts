import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, it } from 'node:test';
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
