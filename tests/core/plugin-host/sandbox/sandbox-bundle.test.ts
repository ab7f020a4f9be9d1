import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createBundler, type Bundler } from '#core/plugin-host/sandbox/sandbox-bundle.ts';
import { createBuild } from '#core/plugin-host/sandbox/sandbox-esbuild.ts';

const secret = 'MARKER-OF-THE-SECRET';
const outsideFolder = /it is outside its folder and its packages/;
const noFile = /it is neither a package nor a file/;

interface Refusal {
  readonly files: Readonly<Record<string, string>>;
  /** Links in the plugin's folder to targets beside it. */
  readonly links?: Readonly<Record<string, string>>;
  readonly message: RegExp;
}

const importing = (specifier: string, attributes = ''): Record<string, string> => ({
  'plugin.ts': `import * as it from ${JSON.stringify(specifier)}${attributes};\nexport const plugin = it;\n`,
});

/** `outside/secret.*` lies beside the plugin's folder. */
const refusals: Readonly<Record<string, Refusal>> = {
  'a file above': { files: importing('../outside/secret.ts'), message: outsideFolder },
  'JSON above': { files: importing('../outside/secret.json', " with { type: 'json' }"), message: outsideFolder },
  'text above': { files: importing('../outside/secret.txt', " with { type: 'text' }"), message: outsideFolder },
  'bytes above': { files: importing('../outside/secret.ts', " with { type: 'bytes' }"), message: outsideFolder },
  'a query after a file above': { files: importing('../outside/secret.ts?x=/plugin/'), message: outsideFolder },
  'a linked file': {
    files: importing('./linked.ts'),
    links: { 'linked.ts': 'outside/secret.ts' },
    message: outsideFolder,
  },
  'linked JSON': {
    files: importing('./linked.json', " with { type: 'json' }"),
    links: { 'linked.json': 'outside/secret.json' },
    message: outsideFolder,
  },
  'a file in a linked folder': {
    files: importing('./linked/secret.ts'),
    links: { linked: 'outside' },
    message: outsideFolder,
  },
  'a linked package': {
    files: importing('linked'),
    links: { 'node_modules/linked': 'outside' },
    message: outsideFolder,
  },
  'a package whose main leads out': {
    files: { ...importing('sly'), 'node_modules/sly/package.json': '{ "main": "../../../outside/secret.js" }' },
    message: outsideFolder,
  },
  'a package whose file leads out': {
    files: { ...importing('sly'), 'node_modules/sly/index.js': "export * from '../../../outside/secret.js'" },
    message: outsideFolder,
  },
  'a package that requires a path': {
    files: { ...importing('sly'), 'node_modules/sly/index.js': "module.exports = require('/etc/passwd')" },
    message: noFile,
  },
  'a package whose exports lead out': {
    files: {
      ...importing('sly'),
      'node_modules/sly/package.json': '{ "exports": { ".": "./../../../outside/secret.js" } }',
    },
    message: /Could not resolve "sly"/,
  },
  'an import map that leads out': {
    files: { ...importing('#sly'), 'package.json': '{ "imports": { "#sly": "./../outside/secret.js" } }' },
    message: /Could not resolve "#sly"/,
  },
  'a path of tsconfig.json': {
    files: {
      ...importing('sly'),
      'tsconfig.json': '{ "compilerOptions": { "baseUrl": ".", "paths": { "sly": ["../outside/secret.ts"] } } }',
    },
    message: /Could not resolve "sly"/,
  },
  'a path of an extended tsconfig.json': {
    files: { ...importing('sly'), 'tsconfig.json': '{ "extends": "../outside/tsconfig.json" }' },
    message: /Could not resolve "sly"/,
  },
  'an absolute path': { files: importing('/etc/passwd', " with { type: 'text' }"), message: noFile },
  'a file URL': { files: importing('file:///etc/passwd', " with { type: 'text' }"), message: noFile },
  'code in a URL': { files: importing('data:text/javascript,export default 1'), message: noFile },
  'code from the network': { files: importing('https://example.com/x.js'), message: noFile },
  'code of the core': { files: importing('#core/errors/app-error.ts'), message: /#core|outside/ },
  'types as values': {
    files: { 'plugin.ts': "import { Plugin } from '#plugin-api';\nexport const plugin = Plugin;" },
    message: /it holds types alone, use 'import type'/,
  },
  'a style sheet': {
    files: { ...importing('./a.css'), 'a.css': '@import "../outside/secret.css"' },
    message: /only JavaScript, TypeScript and JSON/,
  },
  'native code': { files: { ...importing('./a.node'), 'a.node': '' }, message: /No loader is configured for "\.node"/ },
  'a module that is too large': {
    files: { ...importing('./large.ts'), 'large.ts': `export const a = '${'a'.repeat(4_200_000)}'` },
    message: /large\.ts has \d+ bytes: at most 4194304 are imported/,
  },
  'what is not there': {
    files: importing('./nothing.ts'),
    message: /Could not resolve "\.\/nothing\.ts" .*plugin\.ts:1/,
  },
  'what is no code': { files: { 'plugin.ts': 'export const = 1' }, message: /plugin\.ts:1:14/ },
};

describe('createBundler()', { timeout: 120_000 }, () => {
  let root = '';
  let count = 0;
  let folder = '';
  const bundle: Bundler = createBundler();

  before(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'returnit-bundle-')));
  });
  after(() => rm(root, { recursive: true, force: true }));
  beforeEach(async () => {
    folder = join(root, `${++count}`, 'plugin');
    const outside = join(dirname(folder), 'outside');
    await write(outside, {
      'secret.ts': `export const secret = '${secret}'`,
      'secret.js': `export const secret = '${secret}'`,
      'index.js': `export const secret = '${secret}'`,
      'secret.json': JSON.stringify({ secret }),
      'secret.txt': secret,
      'secret.css': `/* ${secret} */`,
      'tsconfig.json': '{ "compilerOptions": { "paths": { "sly": ["./secret.ts"] } } }',
    });
  });

  for (const [what, { files, links = {}, message }] of Object.entries(refusals)) {
    it(`refuses ${what}`, async () => {
      await write(folder, files);
      for (const [name, target] of Object.entries(links)) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await symlink(join(dirname(folder), target), join(folder, name));
      }
      await assert.rejects(bundle({ folder, main: 'plugin.ts' }), (error: Error) => {
        assert.equal(error.name, 'BuildRefused');
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, new RegExp(secret));
        return true;
      });
    });
  }

  it('takes files, JSON and packages, the own ones first; types vanish', async () => {
    await write(folder, {
      'plugin.ts': `
        import type { Plugin } from '#plugin-api';
        import { Type } from 'typebox';
        import own from 'ajv';
        import tariff from './tariff.json' with { type: 'json' };
        import { half } from './domain/half.ts';
        export const plugin: Plugin = { setup() { console.log(Type, own, tariff, half(4)); } };`,
      'domain/half.ts': 'export function half(n: number): number { return n / 2; }',
      'tariff.json': '{ "base": 490 }',
      'node_modules/ajv/package.json': '{ "name": "ajv", "type": "module", "exports": "./own.js" }',
      'node_modules/ajv/own.js': "export default 'the own one'",
    });
    const { code } = await bundle({ folder, main: 'plugin.ts' });
    for (const part of [/base: 490/, /the own one/, /function half/, /typebox/]) assert.match(code, part);
    assert.doesNotMatch(code, /^import /m);
  });

  it("does not let plugins that are bundled together read each other's files", async () => {
    const other = join(root, `${count}`, 'other');
    await write(other, { 'plugin.ts': 'export const plugin = 1;' });
    await write(folder, importing('../other/plugin.ts'));
    const [refused, made] = await Promise.allSettled(
      [folder, other].map((each) => bundle({ folder: each, main: 'plugin.ts' })),
    );
    assert.match(String((refused as PromiseRejectedResult).reason), outsideFolder);
    assert.equal(made?.status, 'fulfilled');
  });

  it('goes on when the bundler was brought down', async () => {
    const ended = createBuild()({
      entryPoints: ['/'],
      plugins: [
        { name: 'end', setup: (build) => build.onResolve({ filter: /^/ }, async () => (await endBundler(), {})) },
      ],
    });
    await write(folder, { 'plugin.ts': 'export const plugin = 1;' });
    const made = bundle({ folder, main: 'plugin.ts' });
    await assert.rejects(ended, { name: 'BuildRefused', message: /^The service was stopped/ });
    assert.match((await made).code, /plugin = 1/);
  });

  it('gives up at its time limit, and bundles the next one', async () => {
    const timeoutMs = 1;
    const impatient = createBundler(createBuild(timeoutMs));
    await write(folder, { 'plugin.ts': "import { Type } from 'typebox';\nexport const plugin = Type;" });
    await assert.rejects(impatient({ folder, main: 'plugin.ts' }), /the bundler did not finish within 1 ms/);
    await bundle({ folder, main: 'plugin.ts' });
  });

  it('makes a bundle again when a file of the plugin has changed', async () => {
    await write(folder, { ...importing('./a.ts'), 'a.ts': 'export const a = 1;' });
    for (const name of ['plugin.ts', 'a.ts']) await utimes(join(folder, name), 1, 1);
    const first = await bundle({ folder, main: 'plugin.ts' });
    assert.equal(await bundle({ folder, main: 'plugin.ts' }), first);
    await write(folder, { 'a.ts': 'export const a = 22;' });
    assert.match((await bundle({ folder, main: 'plugin.ts' })).code, /a = 22/);
  });
});

/** By a signal, as the kernel ends a process that has taken all memory. */
async function endBundler(): Promise<void> {
  const tasks = await readdir('/proc/self/task');
  const children = await Promise.all(tasks.map((task) => readFile(`/proc/self/task/${task}/children`, 'utf8')));
  for (const pid of children.join(' ').match(/\d+/g) ?? []) {
    if ((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes('--service=')) process.kill(Number(pid), 'SIGKILL');
  }
}

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}
