import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodePayload } from '#core/mqtt/batch-handling.ts';

const decode = (...bytes: number[]): unknown => decodePayload(Buffer.from(bytes), 8);

describe('decodePayload()', () => {
  it('takes UTF-8, without its byte order mark', () => {
    assert.deepEqual(decode(0x7b, 0x7d), { text: '{}' });
    assert.deepEqual(decode(0xe2, 0x82, 0xac), { text: '€' });
    assert.deepEqual(decode(0xef, 0xbb, 0xbf, 0x7b, 0x7d), { text: '{}' });
    assert.deepEqual(decode(), { text: '' });
  });

  it('refuses what is not UTF-8, such as a surrogate or an overlong form', () => {
    for (const bytes of [[0xff], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xe2, 0x82]]) {
      assert.deepEqual(decode(...bytes), { rejected: 'encoding' });
    }
  });

  it('refuses what is too large', () => {
    assert.deepEqual(decodePayload(Buffer.alloc(9), 8), { rejected: 'too-large' });
  });
});
