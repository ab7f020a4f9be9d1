import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBudget, type Budget } from '../../../plugins/tracking/budget.ts';

const spend = (budget: Budget, device: string, times: number, nowMs: number): number =>
  Array.from({ length: times }, () => budget.take(device, nowMs)).filter(Boolean).length;

describe('createBudget()', () => {
  it('lets a burst through, then as many as come back in the time', () => {
    const budget = createBudget({ perSecond: 10, burst: 50, devicesMax: 10 });
    assert.equal(spend(budget, 'a', 60, 0), 50);
    assert.equal(spend(budget, 'a', 60, 1000), 10);
    assert.equal(spend(budget, 'a', 60, 3_600_000), 50);
  });

  it('has a budget for each device', () => {
    const budget = createBudget({ perSecond: 1, burst: 5, devicesMax: 10 });
    assert.equal(spend(budget, 'a', 10, 0), 5);
    assert.equal(spend(budget, 'b', 10, 0), 5);
  });

  it('takes back what was spent in vain, and never more than the burst', () => {
    const budget = createBudget({ perSecond: 1, burst: 5, devicesMax: 10 });
    assert.equal(spend(budget, 'a', 5, 0), 5);
    for (let times = 0; times < 9; times += 1) budget.giveBack('a');
    budget.giveBack('never seen');
    assert.equal(spend(budget, 'a', 10, 0), 5);
  });

  it('gives nothing for a clock that is set back', () => {
    const budget = createBudget({ perSecond: 1, burst: 5, devicesMax: 10 });
    assert.equal(spend(budget, 'a', 10, 10_000), 5);
    assert.equal(spend(budget, 'a', 10, 0), 0);
  });

  it('is without limit at 0', () => {
    assert.equal(spend(createBudget({ perSecond: 0, burst: 1, devicesMax: 1 }), 'a', 1000, 0), 1000);
  });

  it('remembers a bounded number of devices: the one unheard of for longest begins anew', () => {
    const budget = createBudget({ perSecond: 1, burst: 2, devicesMax: 2 });
    for (const device of ['a', 'b', 'a', 'c']) budget.take(device, 0);
    assert.equal(spend(budget, 'a', 5, 0), 0);
    assert.equal(spend(budget, 'b', 5, 0), 2);
  });
});
