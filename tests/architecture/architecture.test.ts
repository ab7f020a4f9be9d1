import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { findCycles, importsOf, readSources, toGraph, type SourceFile } from './import-graph.ts';
import { findLayerViolations } from './layers.ts';

const root = path.resolve(import.meta.dirname, '../..');

function plant(files: Readonly<Record<string, string>>): ReturnType<typeof toGraph> {
  return toGraph(Object.entries(files).map(([file, text]) => ({ file, text })));
}

describe('layers', () => {
  let sources: readonly SourceFile[];
  before(async () => {
    sources = await readSources(root, ['core', 'plugins']);
  });

  it('are kept by every file', () => {
    assert.deepEqual(findLayerViolations(toGraph(sources)), []);
  });

  it('have no cycles, type-only imports included', () => {
    assert.deepEqual(findCycles(toGraph(sources)), []);
  });

  it('are broken by a planted import of a higher layer', () => {
    const graph = plant({ 'core/database/a.ts': `import type { A } from '#core/plugin-host/invoke.ts';` });
    assert.equal(findLayerViolations(graph).length, 1);
  });

  it('are broken by a planted import of core, or of another plugin, in a plugin', () => {
    const graph = plant({
      'plugins/orders/a.ts': `import { A } from '#core/errors/app-error.ts';`,
      'plugins/orders/b.ts': `import { B } from '../drivers/store.ts';`,
    });
    assert.equal(findLayerViolations(graph).length, 2);
  });

  it('are broken by a planted cycle of types', () => {
    const graph = plant({
      'core/http/a.ts': `import type { B } from './b.ts';`,
      'core/http/b.ts': `import type { A } from './a.ts';`,
    });
    assert.equal(findCycles(graph).length, 1);
  });

  it('let plugins import only types of the plugin API', () => {
    const values = sources.filter(
      ({ file, text }) => file.startsWith('plugins/') && /import\s+(?!type\b)[^;]*'#plugin-api'/.test(text),
    );
    assert.deepEqual(
      values.map(({ file }) => file),
      [],
    );
  });

  it('let only the main file of a process end it, and only config read the environment', () => {
    const mains = ['core/main.ts', 'core/plugin-host/sandbox/spawner-process.ts'];
    const offenders = sources.filter(
      ({ file, text }) =>
        file.startsWith('core/') &&
        ((/process\.exit\(/.test(text) && !mains.includes(file) && !file.startsWith('core/plugin-host/child/')) ||
          (/process\.env\b/.test(text) &&
            file !== 'core/config/config.ts' &&
            !file.startsWith('core/plugin-host/child/'))),
    );
    assert.deepEqual(
      offenders.map(({ file }) => file),
      [],
    );
  });
});

describe('files', () => {
  it('have names that say what they are', async () => {
    const names = (await readSources(root, ['core', 'plugins', 'tests'])).map(({ file }) => path.basename(file, '.ts'));
    const vague = names.filter((name) => /^(utils?|helpers?|common|misc|manager|service|types|index)$/.test(name));
    assert.deepEqual(vague, []);
    assert.deepEqual(
      names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?$/.test(name)),
      [],
    );
  });

  it('export names, never a default', async () => {
    const sources = await readSources(root, ['core', 'plugins']);
    assert.deepEqual(
      sources.filter(({ text }) => /^export default/m.test(text)).map(({ file }) => file),
      [],
    );
  });

  it('leave package.json to the root: another would break #plugin-api', async () => {
    const nested = (await readdir(path.join(root, 'plugins'), { recursive: true })).filter((name) =>
      name.endsWith('package.json'),
    );
    assert.deepEqual(nested, []);
  });
});

describe('the linter', () => {
  it('reports a planted cycle of types', async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'returnit-lint-'));
    t.after(() => rm(folder, { recursive: true }));
    await mkdir(path.join(folder, 'core', 'http'), { recursive: true });
    for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
      await cp(path.join(root, name), path.join(folder, name));
    await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    await writeFile(
      path.join(folder, 'core/http/a.ts'),
      `import type { B } from './b.ts';\nexport interface A { b: B }\n`,
    );
    await writeFile(
      path.join(folder, 'core/http/b.ts'),
      `import type { A } from './a.ts';\nexport interface B { a: A }\n`,
    );
    await writeFile(
      path.join(folder, 'core/http/c.ts'),
      `import { D } from '#core/app.ts';\nexport const c: number = D;\n`,
    );
    await writeFile(path.join(folder, 'core/app.ts'), `export const D = 1;\n`);
    const oxlint = path.join(root, 'node_modules/oxlint/bin/oxlint');
    const { stdout, status } = spawnSync(process.execPath, [oxlint, 'core'], { cwd: folder, encoding: 'utf8' });
    assert.notEqual(status, 0);
    assert.match(stdout, /no-cycle/);
    assert.match(stdout, /no-restricted-imports/);
  });
});

describe('importsOf()', () => {
  it('finds imports, exports from, side effects and dynamic imports', async () => {
    const text = await readFile(path.join(import.meta.dirname, 'import-graph.ts'), 'utf8');
    assert.deepEqual(importsOf(text), ['node:fs/promises', 'node:path']);
    assert.deepEqual(importsOf(`export { a } from './a.ts';\nimport './b.ts';\nconst c = await import('./c.ts');`), [
      './a.ts',
      './b.ts',
      './c.ts',
    ]);
  });
});
