import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { LiveMessage } from '#core/live/live-message.ts';
import { createWatcher, type LiveTransport, type Watcher, type WatcherOptions } from '#core/live/watcher.ts';

interface Value {
  readonly version: number;
}

/** A client whose connection takes what it is sent only when the test says so. */
function createClient(options: Partial<WatcherOptions> = {}): {
  readonly watcher: Watcher;
  readonly received: LiveMessage[];
  readonly counted: (what: string) => number;
  setBehind(behind: boolean): void;
} {
  const received: LiveMessage[] = [];
  const counts = new Map<string, number>();
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  let buffered = 0;
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
    authorize: () => assert.fail('nobody asks again here'),
    count: {
      sent: () => count('sent'),
      conflated: () => count('conflated'),
      stale: () => count('stale'),
      resumed: (outcome) => count(outcome),
    },
    onClosed: () => undefined,
    ...options,
  });
  const counted = (what: string): number => counts.get(what) ?? 0;
  return { watcher, received, counted, setBehind: (behind) => (buffered = behind ? 11 : 0) };
}

const versionsOf = (received: readonly LiveMessage[]): number[] =>
  received.flatMap(({ json }) => (json === undefined ? [] : (JSON.parse(json) as Value).version));

/** A value whose content is its version. */
const json = (version: number): string => JSON.stringify({ version });
const admit = (version: number | undefined) => ({ json: version === undefined ? undefined : json(version), version });

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
            watcher.change(json(one.publish), one.publish);
          } else if ('behind' in one) {
            setBehind(one.behind);
            watcher.flush();
          }
        };
        before.forEach(take);
        assert.deepEqual(received, []);
        watcher.begin(admit(snapshot));
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
    watcher.begin(admit(undefined));
    for (const version of [3, 1, 2]) watcher.change(json(version), undefined);
    assert.deepEqual(versionsOf(received), [3, 1, 2]);
  });

  it('keeps the newest value alone for a client that is behind, and counts the others', () => {
    const { watcher, received, counted, setBehind } = createClient();
    watcher.begin(admit(0));
    setBehind(true);
    for (let version = 1; version <= 100; version += 1) watcher.change(json(version), version);
    assert.deepEqual(versionsOf(received), [0]);
    setBehind(false);
    watcher.flush();
    assert.deepEqual(versionsOf(received), [0, 100]);
    assert.equal(counted('conflated'), 99);
  });

  it('sends the last value before it says that the channel is closed, even to a client that is behind', () => {
    const { watcher, received, setBehind } = createClient();
    watcher.begin(admit(undefined));
    setBehind(true);
    watcher.change(json(7), 7);
    watcher.closed('delivered');
    assert.deepEqual(
      received.map(({ type, reason }) => [type, reason]),
      [
        ['change', undefined],
        ['closed', 'delivered'],
      ],
    );
  });

  it('goes on where an earlier connection of the client ended, without gap or repeat', () => {
    const current = createClient({ since: 7 });
    current.watcher.change(json(6), 6);
    current.watcher.begin(admit(7));
    current.watcher.change(json(7), 7);
    current.watcher.change(json(8), 8);
    assert.deepEqual(
      current.received.map(({ type, version }) => [type, version]),
      [
        ['resumed', 7],
        ['change', 8],
      ],
    );
    assert.deepEqual([current.counted('current'), current.counted('stale')], [1, 2]);

    const behind = createClient({ since: 5 });
    behind.watcher.begin(admit(7));
    assert.deepEqual(
      behind.received.map(({ type, version }) => [type, version]),
      [['snapshot', 7]],
    );
    assert.equal(behind.counted('behind'), 1);

    const empty = createClient({ since: 5 });
    empty.watcher.begin(admit(undefined));
    assert.deepEqual(empty.received, [{ type: 'resumed', channel: 'orders/1/position', version: 5 }]);
  });

  it('sends nothing twice and misses nothing, however often the client comes back', () => {
    const run = fc.record({
      published: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 30 }),
      drops: fc.array(fc.nat({ max: 30 }), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(run, ({ published, drops }) => {
        const seen: number[] = [];
        let stored: number | undefined;
        let client = createClient();
        client.watcher.begin(admit(stored));
        const reconnect = (): void => {
          seen.push(...versionsOf(client.received));
          client.watcher.stop();
          const since = seen.at(-1);
          client = createClient(since === undefined ? {} : { since });
          client.watcher.begin(admit(stored));
        };
        for (const [index, version] of published.entries()) {
          if (stored === undefined || version > stored) stored = version;
          // While it is away nobody tells it.
          if (!drops.includes(index)) client.watcher.change(json(version), version);
          else reconnect();
        }
        reconnect();
        seen.push(...versionsOf(client.received));
        assert.deepEqual(
          seen,
          [...new Set(seen)].toSorted((a, b) => a - b),
        );
        assert.equal(seen.at(-1), stored);
      }),
      { numRuns: 1000 },
    );
  });

  it('asks again who may watch: sends what was missed, or ends the channel once', async () => {
    const answers: Awaited<ReturnType<WatcherOptions['authorize']>>[] = [
      { allowed: true, ...admit(3) },
      { allowed: true, ...admit(2) },
      { allowed: false, code: 'PLUGIN_UNAVAILABLE', reason: 'not available now' },
      { allowed: false, code: 'FORBIDDEN', reason: 'no longer yours' },
      { allowed: false, code: 'FORBIDDEN', reason: 'no longer yours' },
    ];
    let ended = 0;
    const { watcher, received } = createClient({
      authorize: () => Promise.resolve(answers.shift() ?? assert.fail('asked too often')),
      onClosed: () => (ended += 1),
    });
    watcher.begin(admit(1));
    const outcomes: string[] = [];
    while (answers.length > 0) outcomes.push(await watcher.recheck());
    assert.deepEqual(outcomes, ['allowed', 'allowed', 'error', 'denied', 'denied']);
    assert.deepEqual(
      received.map(({ type, version, reason }) => [type, version ?? reason]),
      [
        ['snapshot', 1],
        ['change', 3],
        ['closed', 'no longer yours'],
      ],
    );
    assert.equal(ended, 1);
  });
});
