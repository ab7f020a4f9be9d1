import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FairQueue, lanes } from '#core/mqtt/fair-queue.ts';
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

class Clock {
  ms = 0;
  readonly now = (): number => this.ms;
}

function createQueue(clock = new Clock()): FairQueue<string> {
  return new FairQueue({ promptPerSecond: 2, promptBurst: 2, now: clock.now });
}

function fill(queue: FairQueue<string>, ...topics: readonly string[]): IncomingMessage[] {
  return topics.map((topic, index) => {
    const message = messageOf(topic);
    queue.add(message, `${topic}${index}`);
    return message;
  });
}

const valuesOf = (queue: FairQueue<string>, lane: 'prompt' | 'backlog'): string[] =>
  [...queue.entries(lane)].map(([, value]) => value);

describe('FairQueue', () => {
  it('takes what comes now and then by the prompt lane, and what comes faster as a backlog', () => {
    const queue = createQueue();
    const messages = fill(queue, 'a', 'a', 'a', 'a', 'b');
    assert.deepEqual(valuesOf(queue, 'prompt'), ['a0', 'a1', 'b4']);
    // Not before the prompt ones of the same topic are settled.
    assert.deepEqual(valuesOf(queue, 'backlog'), []);
    for (const message of messages.slice(0, 2)) queue.delete(message);
    assert.deepEqual(valuesOf(queue, 'backlog'), ['a2', 'a3']);
    assert.deepEqual([queue.size, queue.sizeOf('prompt'), queue.sizeOf('backlog')], [3, 1, 2]);
  });

  it('keeps a device that reports twice a second in the prompt lane for ever', () => {
    const clock = new Clock();
    const queue = createQueue(clock);
    for (; clock.ms < 60_000; clock.ms += 500) {
      const message = messageOf('a');
      assert.equal(queue.add(message, ''), 'prompt', `${clock.ms} ms`);
      queue.delete(message);
    }
  });

  it('keeps a device that sent more in the backlog until it was quiet', () => {
    const clock = new Clock();
    const queue = createQueue(clock);
    for (const message of fill(queue, ...Array<string>(100).fill('a'))) queue.delete(message);
    clock.ms += 1000;
    const early = messageOf('a');
    assert.equal(queue.add(early, ''), 'backlog');
    queue.delete(early);
    clock.ms += 2500;
    assert.equal(queue.add(messageOf('a'), ''), 'prompt');
  });

  it('puts nothing before an earlier message of the same topic', () => {
    const clock = new Clock();
    const queue = createQueue(clock);
    fill(queue, 'a', 'a', 'a');
    clock.ms += 60_000;
    assert.equal(queue.add(messageOf('a'), ''), 'backlog');
  });

  it('forgives a clock that was set back', () => {
    const clock = new Clock();
    const queue = createQueue(clock);
    fill(queue, 'a');
    clock.ms = -3_600_000;
    assert.equal(queue.add(messageOf('a'), ''), 'prompt');
  });

  it('says what it does not hold', () => {
    const queue = createQueue();
    assert.equal(queue.delete(messageOf('a')), false);
    assert.equal(queue.size, 0);
  });

  it('keeps the order of each topic over both lanes, loses nothing and repeats nothing', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ add: fc.constantFrom('a', 'b', 'c', 'd') }) },
      {
        weight: 1,
        arbitrary: fc.record({ take: fc.integer({ min: 1, max: 5 }), lane: fc.constantFrom(...lanes) }),
      },
      { weight: 1, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 3000 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const clock = new Clock();
        const queue = new FairQueue<number>({ promptPerSecond: 2, promptBurst: 2, now: clock.now });
        const taken: { topic: string; value: number }[] = [];
        let added = 0;
        const take = (lane: (typeof lanes)[number], count: number): void => {
          for (const [message, value] of [...queue.entries(lane)].slice(0, count)) {
            taken.push({ topic: message.topic, value });
            queue.delete(message);
          }
        };
        for (const each of steps) {
          if ('add' in each) queue.add(messageOf(each.add), added++);
          else if ('pass' in each) clock.ms += each.pass;
          else take(each.lane, each.take);
        }
        for (const lane of lanes) take(lane, added);
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
