import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileCoercion } from '#core/http/text-coercion.ts';

describe('compileCoercion()', () => {
  const coerce = compileCoercion({
    properties: {
      limit: { type: 'integer' },
      ratio: { type: 'number' },
      open: { type: 'boolean' },
      ids: { type: 'array', items: { type: 'integer' } },
      name: { type: 'string' },
    },
  });

  it('makes numbers, booleans and lists of texts', () => {
    assert.deepEqual(coerce?.({ limit: '20', ratio: '-0.5', open: 'false', ids: ['1', '2'], name: '7' }), {
      limit: 20,
      ratio: -0.5,
      open: false,
      ids: [1, 2],
      name: '7',
    });
    assert.deepEqual(coerce?.({ ids: '1' }), { ids: [1] });
  });

  it('reads a number as JSON writes it', () => {
    for (const ratio of [1e-7, -5e-324, 0.300_000_000_000_000_04, Number.MAX_VALUE, -0.1, 0, 40.7484]) {
      assert.deepEqual(coerce?.({ ratio: String(ratio) }), { ratio });
    }
    assert.deepEqual(coerce?.({ ratio: '1E+2' }), { ratio: 100 });
  });

  it('leaves what is not written plainly, so that validation refuses it', () => {
    for (const limit of ['', ' 1', '0x10', '1e3', 'Infinity', '1.0', '01', '99999999999999999999']) {
      assert.deepEqual(coerce?.({ limit }), { limit });
    }
    for (const ratio of ['', ' 1', '0x10', 'Infinity', 'NaN', '.5', '1.', '01', '+1', '1e', '1e400', '0'.repeat(33)]) {
      assert.deepEqual(coerce?.({ ratio }), { ratio });
    }
    assert.deepEqual(coerce?.({ open: '1', limit: ['1', '2'] }), { open: '1', limit: ['1', '2'] });
  });

  it('is nothing when all are texts', () =>
    assert.equal(compileCoercion({ properties: { id: { type: 'string' } } }), undefined));
});
