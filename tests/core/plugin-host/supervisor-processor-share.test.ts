import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { ProcessorShare } from '#core/plugin-host/supervisor/processor-share.ts';

async function startSession(t: TestContext): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  await once(child, 'spawn');
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await once(child, 'exit');
  });
  return child as ChildProcess & { pid: number };
}

/** Empty where the process has no group of its own: no autogroups in the kernel, or switched off. */
function niceOf(pid: number): string {
  const file = `/proc/${pid}/autogroup`;
  return (existsSync(file) && /nice (-?\d+)/.exec(readFileSync(file, 'utf8'))?.[1]) || '';
}

describe('ProcessorShare', () => {
  it('lets others go first, and takes the full share again', async (t) => {
    const { pid } = await startSession(t);
    if (niceOf(pid) === '') return t.skip('no autogroups');
    const own = niceOf(process.pid);
    const share = new ProcessorShare(pid);
    t.after(() => share.stop());
    share.want('yielding');
    assert.equal(niceOf(pid), '10');
    share.want('yielding');
    share.want('full');
    // Who is not root waits for the kernel to take a second change.
    while (niceOf(pid) !== '0') await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(niceOf(process.pid), own);
  });

  it('does nothing for a process that is gone', async (t) => {
    const child = await startSession(t);
    const share = new ProcessorShare(child.pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    share.want('yielding');
    share.want('full');
    share.stop();
  });
});
