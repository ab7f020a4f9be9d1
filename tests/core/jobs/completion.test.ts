import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createCompletion, type Attempt } from '#core/jobs/completion.ts';

describe('createCompletion()', () => {
  const attempts = (count: number): readonly Attempt[] =>
    Array.from({ length: count }, (_, index) => ({ id: `job-${index}`, retryCount: index % 2 }));

  function recordBoss(fails: (batch: number) => boolean = () => false) {
    const batches: Attempt[][] = [];
    const complete = (queue: string, batch: unknown): Promise<never> => {
      assert.equal(queue, 'work');
      batches.push(batch as Attempt[]);
      return (fails(batches.length) ? Promise.reject(new Error('no database')) : Promise.resolve()) as Promise<never>;
    };
    return { batches, completion: createCompletion({ boss: { complete }, queue: 'work', waitMs: 5 }) };
  }

  it('settles jobs that end together in one statement, each attempt once and in order', async () => {
    const { batches, completion } = recordBoss();
    await Promise.all(attempts(7).map((attempt) => completion.complete(attempt)));
    await completion.complete({ id: 'later', retryCount: 0 });
    assert.deepEqual(batches, [attempts(7), [{ id: 'later', retryCount: 0 }]]);
  });

  it('writes a hundred at once at most', async () => {
    const { batches, completion } = recordBoss();
    await Promise.all(attempts(250).map((attempt) => completion.complete(attempt)));
    assert.deepEqual(
      batches.map(({ length }) => length),
      [100, 100, 50],
    );
    assert.deepEqual(batches.flat(), attempts(250));
  });

  it('tells each of a batch that failed, and goes on with the next', async () => {
    const { batches, completion } = recordBoss((batch) => batch === 1);
    const settled = await Promise.allSettled(attempts(3).map((attempt) => completion.complete(attempt)));
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    );
    await completion.complete({ id: 'next', retryCount: 0 });
    assert.equal(batches.length, 2);
  });

  it('has one statement at a time: what ends meanwhile waits for the next', async () => {
    const gates = [Promise.withResolvers<never>(), Promise.withResolvers<never>()];
    const batches: unknown[] = [];
    const complete = (_queue: string, batch: unknown): Promise<never> => {
      batches.push(batch);
      return gates[batches.length - 1]?.promise ?? Promise.reject(new Error('a third'));
    };
    const completion = createCompletion({ boss: { complete }, queue: 'work', waitMs: 5 });
    const [first = assert.fail(), ...others] = attempts(150);
    const written = [completion.complete(first)];
    await delay(20);
    written.push(...others.slice(0, 80).map((attempt) => completion.complete(attempt)));
    await delay(20);
    assert.deepEqual(batches, [[first]]);
    for (const { resolve } of gates) resolve(undefined as never);
    await Promise.all(written);
    assert.deepEqual(batches, [[first], others.slice(0, 80)]);
  });
});
