import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { AppError } from '#core/errors/app-error.ts';
import { lockDataFolder } from '#core/database/data-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'returnit-folder-'));
after(() => rmSync(root, { recursive: true, force: true }));
const moduleUrl = new URL('../../../core/database/data-folder.ts', import.meta.url).href;

/** Another process that holds the folder until it is killed. */
async function startHolder(dir: string): Promise<ChildProcess> {
  const script = `import { lockDataFolder } from '${moduleUrl}'; lockDataFolder('${dir}'); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  assert.equal(text.toString(), 'held\n');
  return child;
}

describe('lockDataFolder()', () => {
  it('makes the folder for its owner alone, and can be taken again after release', () => {
    const dir = join(root, 'made');
    const folder = lockDataFolder(dir);
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.throws(
      () => lockDataFolder(dir),
      (error: AppError) => error.code === 'DATA_DIR_IN_USE',
    );
    folder.release();
    folder.release();
    lockDataFolder(dir).release();
  });

  it('refuses while another process holds it, with its pid, and not after kill -9', async () => {
    const dir = join(root, 'held');
    const holder = await startHolder(dir);
    assert.throws(() => lockDataFolder(dir), {
      code: 'DATA_DIR_IN_USE',
      message: `Cannot use data folder "${dir}": another core (pid ${holder.pid}) runs on it; stop it or set DATA_DIR`,
    });
    const exited = once(holder, 'exit');
    holder.kill('SIGKILL');
    await exited;
    lockDataFolder(dir).release();
  });
});
