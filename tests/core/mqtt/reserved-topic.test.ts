import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mayPublish, maySubscribe } from '#core/mqtt/device-access.ts';
import { isReserved } from '#core/mqtt/reserved-topic.ts';

describe('isReserved()', () => {
  it("keeps the nodes' own topics from devices, whatever their credentials say", () => {
    const credential = { publish: ['#', 'returnit/#'], subscribe: ['#', 'returnit/live/#'] } as never;
    for (const topic of ['returnit', 'returnit/live/orders/1/position']) {
      assert.ok(isReserved(topic));
      assert.equal(mayPublish(credential, topic), false);
    }
    for (const filter of ['#', '+/live/#', '+', 'returnit/#', 'returnit/live/orders/1/position']) {
      assert.ok(isReserved(filter));
      assert.equal(maySubscribe(credential, filter), false);
    }
    for (const topic of ['drivers/returnit/location', 'returnits/live', 'owntracks/d1/phone']) {
      assert.ok(!isReserved(topic));
      assert.equal(mayPublish(credential, topic), true);
      assert.equal(maySubscribe(credential, topic), true);
    }
  });
});
