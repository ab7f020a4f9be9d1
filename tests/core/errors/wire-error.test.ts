import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import { errorCodes, type ErrorCode } from '#core/errors/codes.ts';
import { fromWireError, toWireError, type WireError } from '#core/errors/wire-error.ts';

const roundTrip = (error: unknown): AppError =>
  fromWireError(JSON.parse(JSON.stringify(toWireError(error))) as WireError, 'PLUGIN_FAILED');

describe('AppError', () => {
  it('has a status and a title for every code', () => {
    for (const [code, { status, title }] of Object.entries(errorCodes)) {
      assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
      assert.ok(Number.isInteger(status) && status >= 400 && status <= 599, code);
      assert.match(title, /^[A-Z].*[^.]$/, code);
      assert.equal(new AppError(code as ErrorCode, 'x').status, status);
    }
  });

  it('keeps its cause and has none when there is none', () => {
    const cause = new Error('why');
    assert.equal(new AppError('INTERNAL', 'x', { cause }).cause, cause);
    assert.equal('cause' in new AppError('INTERNAL', 'x'), false);
    assert.equal(String(new AppError('INTERNAL', 'Cannot do it')), 'AppError: Cannot do it');
  });
});

describe('toWireError() and fromWireError()', () => {
  it('bring an error across as it was', () => {
    const error = new AppError('NOT_FOUND', 'Cannot find order "1"', {
      details: { order: '1' },
      cause: new AppError('TIMEOUT', 'Cannot ask', { details: { ms: 5 } }),
    });
    const arrived = roundTrip(error);
    assert.ok(arrived instanceof AppError);
    assert.deepEqual(
      [arrived.code, arrived.message, arrived.details],
      ['NOT_FOUND', 'Cannot find order "1"', { order: '1' }],
    );
    const cause = arrived.cause as AppError;
    assert.deepEqual([cause.code, cause.message, cause.details], ['TIMEOUT', 'Cannot ask', { ms: 5 }]);
  });

  it('keep a code that is not known as a detail, names of Object included', () => {
    for (const code of ['ORDER_NOT_FOUND', '23505', 'toString', 'constructor', '__proto__', '']) {
      const arrived = fromWireError({ code, message: 'x', details: { a: 1 } }, 'PLUGIN_FAILED');
      assert.deepEqual([arrived.code, arrived.details], ['PLUGIN_FAILED', { a: 1, code }]);
    }
    const arrived = roundTrip(Object.assign(new Error('x'), { code: 42, details: 'no object' }));
    assert.deepEqual([arrived.code, arrived.details], ['PLUGIN_FAILED', {}]);
  });

  it('tell a chain of causes to a depth, and end with circles', () => {
    let deep: Error = new Error('0');
    for (let index = 1; index < 20; index += 1) deep = new Error(String(index), { cause: deep });
    const depthOf = (wire: WireError | undefined): number => (wire === undefined ? 0 : 1 + depthOf(wire.cause));
    assert.equal(depthOf(toWireError(deep)), 5);
    const circle = new Error('circle');
    circle.cause = circle;
    assert.equal(depthOf(toWireError(circle)), 5);
  });

  it('describe whatever is thrown', () => {
    const bare = Object.create(null) as object;
    for (const thrown of [undefined, null, 'text', 7, Symbol('s'), 5n, {}, bare, () => 1]) {
      const { code, message } = toWireError(thrown);
      assert.equal(code, 'PLUGIN_FAILED');
      assert.equal(typeof message, 'string');
    }
    assert.equal(toWireError('text').message, 'text');
  });
});
