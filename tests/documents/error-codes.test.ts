import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { errorCodes } from '#core/errors/codes.ts';
import { root } from './readme.ts';

describe('errorCodes', () => {
  const sources = readdirSync(join(root, 'core'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== join('errors', 'codes.ts'))
    .map((file) => readFileSync(join(root, 'core', file), 'utf8'))
    .join('\n');

  for (const code of Object.keys(errorCodes)) {
    it(`uses ${code} somewhere in the core`, () => {
      assert.ok(sources.includes(`'${code}'`), `no quoted '${code}': remove it from core/errors/codes.ts`);
    });
  }
});
