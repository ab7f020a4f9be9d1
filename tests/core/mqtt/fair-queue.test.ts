import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FairQueue } from '#core/mqtt/fair-queue.ts';
import { IncomingMessage } from '#core/mqtt/incoming-message.ts';

function messageOf(topic: string): IncomingMessage {
  return new IncomingMessage({
    topic,
    payload: Buffer.alloc(0),
    qos: 1,
    username: null,
    receivedAtMs: 0,
    retained: false,
    duplicate: false,
    onEnd: () => undefined,
  });
}

function fill(queue: FairQueue<string>, ...topics: readonly string[]): IncomingMessage[] {
  return topics.map((topic, index) => {
    const message = messageOf(topic);
    queue.add(message, `${topic}${index}`);
    return message;
  });
}

const order = (queue: FairQueue<string>): string[] => [...queue.entries()].map(([, value]) => value);

describe('FairQueue', () => {
  it('takes a topic of which few wait before what many wait of', () => {
    const queue = new FairQueue<string>();
    fill(queue, 'a', 'a', 'a', 'a', 'b');
    assert.deepEqual(order(queue), ['a0', 'a1', 'b4', 'a2', 'a3']);
  });

  it('goes on with what many wait of while others come without end', () => {
    const queue = new FairQueue<string>();
    const [first, second] = fill(queue, 'a', 'a', 'a', 'a', 'b', 'c', 'd', 'e', 'f', 'g');
    assert.deepEqual(order(queue), ['a0', 'a1', 'b4', 'c5', 'd6', 'e7', 'f8', 'g9', 'a2', 'a3']);
    for (const message of [first, second]) if (message !== undefined) queue.delete(message);
    assert.deepEqual(order(queue), ['b4', 'c5', 'd6', 'a2', 'e7', 'f8', 'g9', 'a3']);
  });

  it('counts a topic anew when all of it is gone', () => {
    const queue = new FairQueue<string>();
    const first = fill(queue, 'a', 'a', 'a');
    for (const message of first) assert.equal(queue.delete(message), true);
    assert.equal(queue.delete(messageOf('a')), false);
    assert.equal(queue.size, 0);
    fill(queue, 'b', 'b', 'b', 'a');
    assert.deepEqual(order(queue), ['b0', 'b1', 'a3', 'b2']);
  });

  it('keeps the order of each topic, loses nothing and repeats nothing', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ add: fc.constantFrom('a', 'b', 'c', 'd') }) },
      { weight: 1, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 5 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new FairQueue<number>();
        const taken: { topic: string; value: number }[] = [];
        let added = 0;
        const take = (count: number): void => {
          for (const [message, value] of [...queue.entries()].slice(0, count)) {
            taken.push({ topic: message.topic, value });
            queue.delete(message);
          }
        };
        for (const each of steps) {
          if ('add' in each) queue.add(messageOf(each.add), added++);
          else take(each.take);
        }
        take(added);
        assert.equal(queue.size, 0);
        assert.equal(new Set(taken.map(({ value }) => value)).size, added);
        for (const values of Map.groupBy(taken, ({ topic }) => topic).values()) {
          const inOrder = values.map(({ value }) => value);
          assert.deepEqual(
            inOrder,
            inOrder.toSorted((left, right) => left - right),
          );
        }
      }),
    );
  });
});
