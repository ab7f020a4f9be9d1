import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isChannel, parseChannelPattern } from '#core/live/channel-pattern.ts';

describe('parseChannelPattern()', () => {
  it('matches whole channels of as many segments and takes the named ones', () => {
    const pattern = parseChannelPattern('orders/{orderId}/position');
    assert.deepEqual(pattern.match('orders/A-1/position'), { orderId: 'A-1' });
    for (const other of ['orders/1', 'orders/1/position/x', 'drivers/1/position', 'Orders/1/position', '']) {
      assert.equal(pattern.match(other), null, other);
    }
    assert.equal(pattern.shape, parseChannelPattern('orders/{id}/position').shape);
  });

  it('refuses anything else', () => {
    const deep = Array.from({ length: 9 }, () => 'a').join('/');
    for (const text of [
      '',
      '/',
      'orders/',
      'orders/*',
      'orders/{}',
      'orders/{a b}',
      'Orders',
      'a/{__proto__}',
      '..',
      deep,
    ]) {
      assert.throws(() => parseChannelPattern(text), { name: 'RangeError', message: /^Channel pattern must be/ }, text);
    }
  });
});

describe('isChannel()', () => {
  it('takes ids and words, and nothing that a path, a topic or a log reads otherwise', () => {
    for (const channel of ['orders/1/position', 'a', 'orders/0e5e2c4b-9d6e_A.b/position'])
      assert.ok(isChannel(channel));
    const bad = ['', '/', 'a/', '/a', 'a//b', '..', 'a/../b', '.a', 'a/#', 'a/+', 'a b', 'a\n', 'ä', '{a}', 'a%2fb'];
    for (const channel of [...bad, 'x'.repeat(81)]) assert.ok(!isChannel(channel), JSON.stringify(channel));
  });
});
