import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ReadTurn } from '#core/mqtt/read-turn.ts';

describe('ReadTurn', () => {
  it('is over when its time is, and begins anew in the next turn of the event loop', async () => {
    let nowMs = 0;
    const reading = new ReadTurn({ maxMs: 10, now: () => nowMs });
    nowMs = 100;
    assert.equal(reading.isOver, false);
    nowMs = 109;
    assert.equal(reading.isOver, false);
    nowMs = 110;
    assert.equal(reading.isOver, true);
    await turn();
    assert.equal(reading.isOver, false);
  });

  it('lets those who wait read one after the other, each in its turn, whoever comes again last', async () => {
    let nowMs = 0;
    const reading = new ReadTurn({ maxMs: 10, now: () => nowMs });
    const order: string[] = [];
    const left = new Map([
      ['large', 4],
      ['small', 1],
      ['medium', 2],
    ]);
    // What each has takes a whole turn.
    const read = (name: string): void => {
      while ((left.get(name) ?? 0) > 0) {
        if (reading.isOver) return reading.onNext(() => read(name));
        order.push(name);
        left.set(name, (left.get(name) ?? 0) - 1);
        nowMs += 10;
      }
    };
    for (const name of left.keys()) read(name);
    assert.deepEqual(order, ['large']);
    for (let index = 0; index < 20; index += 1) await turn();
    assert.deepEqual(order, ['large', 'large', 'small', 'medium', 'large', 'medium', 'large']);
  });
});
