import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { quote } from '#core/http/documentation/curl-command.ts';
import { toSizeText } from '#core/http/documentation/size-text.ts';

describe('toSizeText()', () => {
  it('is in the largest unit of which it is a whole number', () => {
    const sizes = [1, 1023, 1024, 1536, 5_000_000, 5_242_880, 67_108_864, 2_147_483_648];
    assert.deepEqual(sizes.map(toSizeText), [
      '1 bytes',
      '1023 bytes',
      '1 KiB',
      '1536 bytes',
      '5000000 bytes',
      '5 MiB',
      '64 MiB',
      '2 GiB',
    ]);
  });
});

describe('quote()', () => {
  it('is what a shell makes the same text of again', () => {
    assert.equal(quote("it's"), String.raw`'it'\''s'`);
    assert.equal(quote('$(ls) `ls` "x" \\'), String.raw`'$(ls) ` + '`ls` "x" ' + String.raw`\'`);
  });
});
