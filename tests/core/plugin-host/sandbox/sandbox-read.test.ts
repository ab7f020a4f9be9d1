import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { AppError } from '#core/errors/app-error.ts';
import { supervisePlugin } from '../../../support/supervised-plugin.ts';
import { until } from '../../../support/until.ts';

const own = join(import.meta.dirname, '../../../fixtures/plugins/reader/plugin.json');
const timeout = 30_000;

describe('a grant of read', { timeout: 60_000 }, () => {
  let folder = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'returnit-read-'));
    await writeFile(join(folder, 'granted.txt'), 'granted');
    await writeFile(`${folder}.txt`, 'beside');
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await rm(`${folder}.txt`);
  });

  it('opens the granted folder and the own one to node:fs', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'reader', read: [folder] });
    assert.equal(await plugin.supervisor.start(), 'ready');
    for (const path of [own, join(folder, 'granted.txt')]) {
      for (const way of ['sync', 'promise', 'exists', 'builtin']) await plugin.run('reader.read', { way, path });
    }
    assert.deepEqual(plugin.nativeDenials, []);
  });

  it("opens nothing else: Node's denial reaches the audit", { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'reader', read: [folder] });
    await plugin.supervisor.start();
    const { instance } = plugin.supervisor;
    const denied: [way: string, path: string, permission: string][] = [
      ['sync', '/etc/passwd', 'FileSystemRead'],
      ['sync', join(own, '../../echo/plugin.ts'), 'FileSystemRead'],
      ['promise', '/etc/hostname', 'FileSystemRead'],
      ['builtin', `${folder}.txt`, 'FileSystemRead'],
      ['sync', join(folder, '../granted.txt'), 'FileSystemRead'],
      ['write', join(folder, 'granted.txt'), 'FileSystemWrite'],
      ['write', own, 'FileSystemWrite'],
    ];
    for (const [way, path, permission] of denied) {
      const seen = plugin.nativeDenials.length;
      await assert.rejects(
        plugin.run('reader.read', { way, path }),
        (error: AppError) => {
          assert.match(error.message, /restricted/);
          return true;
        },
        `${way} ${path}`,
      );
      await until('the denial arrived', () => plugin.nativeDenials.length > seen);
      assert.equal(plugin.nativeDenials.at(-1)?.permission, permission);
      assert.equal(plugin.nativeDenials.at(-1)?.resource, join(path));
    }
    assert.equal(plugin.supervisor.instance, instance);
  });

  it('is needed to import node:fs at all', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'reader' });
    await plugin.supervisor.start();
    assert.equal(plugin.supervisor.lastDeath?.reason, 'boot-failure');
    assert.match(plugin.supervisor.lastDeath?.message ?? '', /Cannot import "node:fs" in a plugin: .*grant of "read"/);
  });
});
