import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
});
