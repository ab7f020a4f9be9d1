import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createGathering } from '../../../plugins/tracking/gathering.ts';

function createSubject(limits: { itemsMax: number; batchesMax: number }) {
  const batches: { readonly items: readonly number[]; readonly gate: PromiseWithResolvers<void> }[] = [];
  const gather = createGathering<number, string>({
    ...limits,
    async handle(items) {
      const gate = Promise.withResolvers<void>();
      batches.push({ items, gate });
      await gate.promise;
      return items.map((item) => `done ${item}`);
    },
  });
  const begun = async (count: number): Promise<void> => {
    while (batches.length < count) await Promise.resolve();
  };
  return { batches, gather, begun };
}

describe('createGathering()', () => {
  it('handles the first at once, and those who come meanwhile together', async () => {
    const { batches, gather, begun } = createSubject({ itemsMax: 3, batchesMax: 1 });
    const all = [1, 2, 3, 4, 5].map(gather);
    assert.deepEqual(
      batches.map(({ items }) => items),
      [[1]],
    );
    batches[0]?.gate.resolve();
    assert.equal(await all[0], 'done 1');
    await begun(2);
    assert.deepEqual(batches[1]?.items, [2, 3, 4]);
    batches[1]?.gate.resolve();
    assert.deepEqual(await Promise.all(all.slice(1, 4)), ['done 2', 'done 3', 'done 4']);
    await begun(3);
    batches[2]?.gate.resolve();
    assert.equal(await all[4], 'done 5');
  });

  it('handles as many batches at a time as it may', () => {
    const { batches, gather } = createSubject({ itemsMax: 10, batchesMax: 2 });
    for (const item of [1, 2, 3]) void gather(item);
    assert.deepEqual(
      batches.map(({ items }) => items),
      [[1], [2]],
    );
  });

  it('tells a failure to its batch, and goes on', async () => {
    const { batches, gather, begun } = createSubject({ itemsMax: 10, batchesMax: 1 });
    const results = Promise.allSettled([1, 2, 3].map(gather));
    batches[0]?.gate.reject(new Error('away'));
    await begun(2);
    batches[1]?.gate.resolve();
    assert.deepEqual(
      (await results).map(({ status }) => status),
      ['rejected', 'fulfilled', 'fulfilled'],
    );
    const later = gather(4);
    await begun(3);
    batches[2]?.gate.resolve();
    assert.equal(await later, 'done 4');
  });

  it('fails an item without an outcome instead of leaving it waiting', async () => {
    const gather = createGathering<number, string>({ itemsMax: 1, batchesMax: 1, handle: () => Promise.resolve([]) });
    await assert.rejects(gather(1), TypeError);
  });
});
