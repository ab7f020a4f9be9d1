import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { AppError } from '#core/errors/app-error.ts';
import { supervisePlugin } from '../../../support/supervised-plugin.ts';

const timeout = 30_000;

const files: Readonly<Record<string, string>> = {
  'plugin.ts': `import type { Plugin } from '#plugin-api';
import legacy from 'legacy';
import { fall, spin } from './domain/fall.ts';

const ways: Record<string, () => unknown> = {
  legacy: () => { if (legacy.count() !== 2) throw new Error('it does not count'); },
  steal: () => legacy.steal(),
  own: () => import(['./domain/fall.ts'].join()),
  package: () => import(['legacy'].join()),
  literal: async () => { if ((await import('./domain/late.ts')).late !== 'late') throw new Error('it is not late'); },
  fall,
  crash: () => { setTimeout(fall); },
  spin,
};

export const plugin: Plugin = {
  setup(ctx) {
    ctx.jobs.work<{ way: string }>('code.run', async (job) => { await ways[job.data.way]?.(); });
  },
};
`,
  'domain/fall.ts': `interface Fall { readonly height: number }

type Heights = readonly Fall[];

export function fall(): never {
  const heights: Heights = [];
  throw new RangeError(\`fallen \${heights.length}\`);
}

export function spin(): void {
  for (;;) JSON.parse('[1, 2, 3]');
}
`,
  'domain/late.ts': "export const late = 'late';",
  'node_modules/legacy/package.json': '{ "name": "legacy", "version": "1.0.0", "main": "lib/index" }',
  'node_modules/legacy/lib/index.js': `'use strict';
const { EventEmitter } = require('events');
const util = require('node:util');
const part = require('./part');
exports.count = function count() {
  let heard = 0;
  const emitter = new EventEmitter().on('one', () => { heard += 1; });
  emitter.emit('one');
  emitter.emit('one');
  return util.types.isDate(new Date()) && part.ok ? heard : -1;
};
exports.steal = function steal() { return require('fs').readFileSync('/etc/passwd'); };
`,
  'node_modules/legacy/lib/part.js': 'module.exports = { ok: true, self: typeof module.constructor };',
};

describe("a plugin's code", { timeout: 120_000 }, () => {
  let root = '';
  let folder = '';

  before(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'returnit-code-')));
    folder = join(root, 'code');
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("runs CommonJS packages, without Node's require", { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder });
    assert.equal(await plugin.supervisor.start(), 'ready');
    await plugin.run('code.run', { way: 'legacy' });
    await plugin.run('code.run', { way: 'literal' });
    await assert.rejects(plugin.run('code.run', { way: 'steal' }), isDenied(/Cannot load "fs" in a plugin/));
  });

  it('is all there when it starts: the thread reads no file, not even its own', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder });
    await plugin.supervisor.start();
    await assert.rejects(plugin.run('code.run', { way: 'own' }), isDenied(/it is not in its bundle/));
    await assert.rejects(plugin.run('code.run', { way: 'package' }), isDenied(/it is not in its bundle/));
  });

  it('is named by file and line in errors and deaths', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder });
    await plugin.supervisor.start();
    await assert.rejects(plugin.run('code.run', { way: 'fall' }), (error: AppError) => {
      assert.match((error.cause as Error).stack ?? '', /at .*fall .*code\/domain\/fall\.ts:7:9/);
      return true;
    });
    const died = plugin.died();
    await plugin.run('code.run', { way: 'crash' });
    const { reason, message } = await died;
    assert.equal(reason, 'crash');
    assert.match(message, /RangeError: fallen 0\n +at .*fall .*code\/domain\/fall\.ts:7:9/);
  });

  it('is named in the profile of a loop', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder });
    await plugin.supervisor.start();
    const died = plugin.died();
    plugin.run('code.run', { way: 'spin' }).catch(() => {});
    const { nodes } = JSON.parse((await died).profile ?? '{}') as {
      nodes: { callFrame: { functionName: string; url: string; lineNumber: number } }[];
    };
    const frames = nodes.map(({ callFrame }) => callFrame);
    // The engine may count a loop that it has optimized for who called it.
    const own = frames.filter(({ url }) => url.startsWith(pathToFileURL(folder).href));
    const places = own.map(({ url, lineNumber }) => `${basename(url)}:${lineNumber + 1}`);
    const handler = files['plugin.ts']?.split('\n').findIndex((line) => line.includes('ctx.jobs.work')) ?? 0;
    assert.ok(places.length > 0, JSON.stringify(frames));
    for (const place of places) assert.ok([`plugin.ts:${handler + 1}`, 'fall.ts:10'].includes(place), place);
  });
});

function isDenied(message: RegExp): (error: AppError) => true {
  return (error) => {
    assert.equal(error.details['code'], 'NOT_CAPABLE', error.message);
    assert.match(error.message, message);
    return true;
  };
}
