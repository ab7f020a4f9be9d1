import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createWatcher, type LiveMessage, type LiveTransport, type Watcher } from '#core/live/watcher.ts';

interface Value {
  readonly version: number;
}

/** A client whose connection takes what it is sent only when the test says so. */
function createClient(): {
  readonly watcher: Watcher;
  readonly received: LiveMessage[];
  readonly superseded: () => number;
  setBehind(behind: boolean): void;
} {
  const received: LiveMessage[] = [];
  let buffered = 0;
  let superseded = 0;
  const transport: LiveTransport = {
    name: 'ws',
    get bufferedBytes() {
      return buffered;
    },
    send: (message) => void received.push(message),
    refuse: () => assert.fail('nobody refuses here'),
    close: () => assert.fail('nobody closes here'),
  };
  const watcher = createWatcher({
    channel: 'orders/1/position',
    transport,
    bufferMaxBytes: 10,
    onSent: () => undefined,
    onSuperseded: () => (superseded += 1),
    onClosed: () => undefined,
  });
  return { watcher, received, superseded: () => superseded, setBehind: (behind) => (buffered = behind ? 11 : 0) };
}

const versionsOf = (received: readonly LiveMessage[]): number[] =>
  received.flatMap(({ data }) => (data === undefined ? [] : (data as Value).version));

type Step = { readonly publish: number } | { readonly behind: boolean } | { readonly snapshot: number };

describe('createWatcher()', () => {
  it('moves only forward and arrives at the newest value, whatever the order, the repeats and the pace', () => {
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 6, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 12 }) }) },
      { weight: 2, arbitrary: fc.record({ behind: fc.boolean() }) },
    );
    const run = fc.record({
      before: fc.array(step, { maxLength: 8 }),
      snapshot: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
      after: fc.array(step, { maxLength: 20 }),
    });
    fc.assert(
      fc.property(run, ({ before, snapshot, after }) => {
        const { watcher, received, setBehind } = createClient();
        const published: number[] = [];
        const take = (one: Step): void => {
          if ('publish' in one) {
            published.push(one.publish);
            watcher.change({ version: one.publish }, one.publish);
          } else if ('behind' in one) {
            setBehind(one.behind);
            watcher.flush();
          }
        };
        before.forEach(take);
        assert.deepEqual(received, []);
        watcher.begin(snapshot === undefined ? undefined : { version: snapshot }, snapshot);
        after.forEach(take);
        setBehind(false);
        watcher.flush();
        const versions = versionsOf(received);
        const all = [...published, ...(snapshot === undefined ? [] : [snapshot])];
        assert.deepEqual(
          versions,
          [...new Set(versions)].toSorted((a, b) => a - b),
        );
        assert.equal(versions.at(-1), all.length === 0 ? undefined : Math.max(...all));
      }),
      { numRuns: 2000 },
    );
  });

  it('sends each value of a channel without versions, in its order', () => {
    const { watcher, received } = createClient();
    watcher.begin(undefined, undefined);
    for (const version of [3, 1, 2]) watcher.change({ version }, undefined);
    assert.deepEqual(versionsOf(received), [3, 1, 2]);
  });

  it('keeps the newest value alone for a client that is behind, and counts the others', () => {
    const { watcher, received, superseded, setBehind } = createClient();
    watcher.begin({ version: 0 }, 0);
    setBehind(true);
    for (let version = 1; version <= 100; version += 1) watcher.change({ version }, version);
    assert.deepEqual(versionsOf(received), [0]);
    setBehind(false);
    watcher.flush();
    assert.deepEqual(versionsOf(received), [0, 100]);
    assert.equal(superseded(), 99);
  });

  it('sends the last value before it says that the channel is closed, even to a client that is behind', () => {
    const { watcher, received, setBehind } = createClient();
    watcher.begin(undefined, undefined);
    setBehind(true);
    watcher.change({ version: 7 }, 7);
    watcher.closed('delivered');
    assert.deepEqual(
      received.map(({ type, reason }) => [type, reason]),
      [
        ['change', undefined],
        ['closed', 'delivered'],
      ],
    );
  });
});
