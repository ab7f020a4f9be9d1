export interface GatheringOptions<Item, Outcome> {
  /** An outcome an item, in order; a throw is everybody's. */
  readonly handle: (items: readonly Item[]) => Promise<readonly Outcome[]>;
  readonly itemsMax: number;
  /** Handled at the same time; who comes meanwhile makes the next batch. */
  readonly batchesMax: number;
}

interface Waiting<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes one batch of those who come while others are handled: nobody waits for company, and a thousand phones that come
 * back at once cost a few statements instead of a thousand. How many wait is bounded by the requests that the core lets in.
 */
export function createGathering<Item, Outcome>(
  options: GatheringOptions<Item, Outcome>,
): (item: Item) => Promise<Outcome> {
  const waiting: Waiting<Item, Outcome>[] = [];
  let batches = 0;

  async function handleNext(): Promise<void> {
    batches += 1;
    while (waiting.length > 0) await handleBatch(waiting.splice(0, options.itemsMax));
    batches -= 1;
  }

  async function handleBatch(batch: readonly Waiting<Item, Outcome>[]): Promise<void> {
    try {
      const outcomes = await options.handle(batch.map(({ item }) => item));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index];
        if (outcome === undefined) reject(new TypeError('Cannot answer an item: its batch has no outcome for it'));
        else resolve(outcome);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Each batch catches what its handling throws.
      if (batches < options.batchesMax) void handleNext();
    });
}
