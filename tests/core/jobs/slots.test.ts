import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createSlots } from '#core/jobs/slots.ts';

describe('createSlots()', () => {
  it('gives as many as there are, and tells when one is free again', () => {
    const slots = createSlots(3);
    let told = 0;
    const unsubscribe = slots.onFree(() => (told += 1));
    assert.deepEqual([slots.take(2), slots.take(2), slots.take(1)], [2, 1, 0]);
    slots.give(2);
    assert.deepEqual([told, slots.take(5)], [1, 2]);
    unsubscribe();
    slots.give(1);
    assert.equal(told, 1);
  });

  it('never has more taken than the limit of that moment allows, and gives one whenever none is taken', () => {
    const step = fc.record({ limit: fc.integer({ min: 1, max: 4 }), take: fc.nat(5), give: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let limit = 4;
        let used = 0;
        const slots = createSlots(4, () => limit);
        for (const { take, give, ...now } of steps) {
          limit = now.limit;
          const taken = slots.take(take);
          assert.equal(taken, Math.max(0, Math.min(take, limit - used)));
          if (used === 0 && take > 0) assert.ok(taken > 0);
          used += taken;
          const given = Math.min(give, used);
          slots.give(given);
          used -= given;
        }
      }),
    );
  });
});
