import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { root } from './readme.ts';

const folder = join(root, 'core', 'decisions');

for (const file of readdirSync(folder)) {
  describe(`core/decisions/${file}`, () => {
    const text = readFileSync(join(folder, file), 'utf8');

    it('has the form of a record', () => {
      assert.match(file, /^\d{3}-[a-z0-9-]+\.md$/);
      const lines = text.trimEnd().split('\n').length;
      assert.ok(lines >= 10 && lines <= 70, `${lines} lines`);
      for (const heading of ['## Context', '## Choice', '## When to look again']) {
        assert.ok(text.includes(`\n${heading}\n`), heading);
      }
    });

    it('names files that exist', () => {
      for (const [, path = ''] of text.matchAll(/`((?:core|bin|plugins|tests)\/[^`*]+\.(?:ts|mjs|json))`/g)) {
        assert.ok(existsSync(join(root, path)), path);
      }
    });
  });
}

describe('CONTRIBUTING.md and CHANGELOG.md', () => {
  for (const file of ['CONTRIBUTING.md', 'CHANGELOG.md']) {
    it(`${file} names files that exist`, () => {
      const text = readFileSync(join(root, file), 'utf8');
      const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target = '']) => target);
      const paths = [...text.matchAll(/`((?:core|bin|plugins|tests)\/[^`*]+\.(?:ts|mjs|json|lock))`/g)].map(
        ([, path = '']) => path,
      );
      for (const path of [...links, ...paths]) {
        assert.ok(path.startsWith('https:') || existsSync(join(root, path)), path);
      }
    });
  }

  it('CONTRIBUTING.md is a page', () => {
    assert.ok(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8').split('\n').length <= 60);
  });
});
