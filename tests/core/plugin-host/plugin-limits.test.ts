import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { createCallBudget } from '#core/plugin-host/call-budget.ts';
import { createPluginLimits } from '#core/plugin-host/plugin-limits.ts';
import type { DiscoveredPlugin } from '#core/plugin-host/manifest/discovery.ts';

const plugin = (name: string, callsPerSecond?: number): DiscoveredPlugin =>
  ({ manifest: { name, limits: callsPerSecond === undefined ? {} : { callsPerSecond } } }) as DiscoveredPlugin;

function take(budget: ReturnType<typeof createCallBudget>, count: number, nowMs: number): number {
  return Array.from({ length: count }, () => budget.take(nowMs)).filter(Boolean).length;
}

describe('createCallBudget()', () => {
  it("holds one second's worth and fills evenly", () => {
    const budget = createCallBudget(100);
    assert.equal(take(budget, 200, 1000), 100);
    assert.equal(take(budget, 200, 1010), 1);
    assert.equal(take(budget, 200, 1510), 50);
    assert.equal(take(budget, 200, 99_000), 100);
  });

  it('takes nothing away when the clock steps back', () => {
    const budget = createCallBudget(10);
    assert.equal(take(budget, 5, 10_000), 5);
    assert.equal(take(budget, 10, 5000), 5);
    assert.equal(take(budget, 10, 5100), 1);
  });

  it('refuses a budget of nothing', () => {
    for (const none of [0, -1, Number.NaN]) assert.throws(() => createCallBudget(none), RangeError);
  });
});

describe('createPluginLimits()', () => {
  it('gives each plugin its own budget: the smaller of manifest and configuration', () => {
    const config = loadConfig({}, { pluginCallsPerSecondMax: 20 });
    const limits = createPluginLimits([plugin('a', 5), plugin('b', 500), plugin('c')], config);
    assert.deepEqual(
      ['a', 'b', 'c'].map((name) => take(limits.budgetOf(name), 100, 1)),
      [5, 20, 20],
    );
    assert.throws(() => limits.budgetOf('d'), TypeError);
  });

  it('says so when a plugin was denied too often in a minute, and then counts anew', () => {
    const config = loadConfig({}, { pluginDenialsPerMinuteMax: 3 });
    const limits = createPluginLimits([plugin('a'), plugin('b')], config);
    const count = (name: string, atMs: number): boolean => limits.countDenial(name, atMs);
    assert.deepEqual(
      [count('a', 0), count('a', 1), count('a', 2), count('b', 3), count('a', 4)],
      [false, false, false, false, true],
    );
    assert.equal(count('a', 5), false);
    assert.deepEqual([count('b', 60_002), count('b', 60_003), count('b', 60_004)], [false, false, false]);
  });
});
