import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { recheckWatchers } from '#core/live/recheck.ts';
import type { Watcher } from '#core/live/watcher.ts';
import { createTestTelemetry } from '../plugin-host/test-telemetry.ts';

function createWatchers(count: number): { readonly watchers: Watcher[]; readonly asked: number[] } {
  const asked: number[] = [];
  const watchers = Array.from({ length: count }, (_, index) => ({
    isOver: index % 10 === 9,
    recheck() {
      asked.push(index);
      return Promise.resolve('allowed' as const);
    },
  }));
  return { watchers: watchers as unknown as Watcher[], asked };
}

const rechecksOf = () => createTestTelemetry().metrics.counter('returnit_live_rechecks_total');

describe('recheckWatchers()', () => {
  it('spreads its questions, skips who has gone, and does the rest at once when it becomes urgent', async () => {
    const { watchers, asked } = createWatchers(1000);
    let isUrgent = false;
    const done = recheckWatchers(watchers, { rechecks: rechecksOf(), overMs: 3_600_000, isUrgent: () => isUrgent });
    await turn();
    assert.equal(asked.length, 8);
    isUrgent = true;
    await done;
    assert.equal(new Set(asked).size, 900);
    assert.ok(asked.every((index) => index % 10 !== 9));
  });

  it('asks all at once, a few at a time, when it is not to be spread', async () => {
    const { watchers, asked } = createWatchers(100);
    await recheckWatchers(watchers, { rechecks: rechecksOf() });
    assert.equal(asked.length, 90);
  });
});
