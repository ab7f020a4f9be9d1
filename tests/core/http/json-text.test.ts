import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseJson } from '#core/http/json-text.ts';

describe('parseJson()', () => {
  it('parses UTF-8', () => assert.deepEqual(parseJson(Buffer.from('{"a":"é"}')), { a: 'é' }));

  const broken: readonly (readonly [string, RegExp])[] = [
    ['', /ends too early at line 1, column 1/],
    ['{"a":1', /ends too early at line 1, column 7/],
    ['{"a":1,}', /unexpected "}" at line 1, column 8/],
    ['{\n  "a": nope\n}', /unexpected "o" at line 2, column 9/],
    ["{'a':1}", /unexpected "'" at line 1, column 2/],
    ['[1,2] x', /unexpected "x" at line 1, column 7/],
    ['{"a":"x', /ends too early at line 1, column 8/],
  ];
  for (const [text, message] of broken) {
    it(`says where ${JSON.stringify(text)} is wrong`, () => {
      assert.throws(
        () => parseJson(Buffer.from(text)),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'MALFORMED_JSON');
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it('refuses half of a surrogate pair, in texts and in names, and takes whole ones', () => {
    for (const text of [String.raw`["\ud800"]`, String.raw`{"\uDC00x":1}`, String.raw`[["a\udbffb"]]`]) {
      assert.throws(() => parseJson(Buffer.from(text)), /half of a surrogate pair/);
    }
    assert.deepEqual(parseJson(Buffer.from(String.raw`["\ud83d\ude00", "\\ud800"]`)), ['😀', String.raw`\ud800`]);
  });

  it('refuses bytes that are not UTF-8', () =>
    assert.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22])), /it must be UTF-8/));
});
