/** A part of the game day that fits into a run of the tests; `npm run gameday` is all of it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ProjectCopy } from '../support/project-copy.ts';
import { faults } from './faults.ts';
import { runFault } from './run-fault.ts';
import { copyForGameDay, skipWithoutNeeds } from './system.ts';
import { formatResults, isPassed } from './table.ts';

/** One of each kind: a symptom with the budget that it burns, a plugin, the node itself. */
const chosen = ['error-burst', 'quarantine', 'node-gone'];
/** Other tests run beside it: a node that is late must not be taken for one that is gone. */
const factor = 12;
const skip = skipWithoutNeeds();

describe('game day', { skip }, () => {
  let project: ProjectCopy;
  before(async () => {
    project = await copyForGameDay();
  });
  after(() => project.remove());

  for (const name of chosen) {
    it(`${name}: the alert that is meant for it fires, nobody is called for anything else, and it resolves`, async () => {
      const fault = faults.find((each) => each.name === name);
      assert.ok(fault !== undefined);
      const result = await runFault(fault, { project, factor, patience: 2 });
      if (result.error !== undefined) throw result.error;
      assert.equal(result.verdicts.length, fault.expects.length);
      assert.ok(isPassed(result), `\n${formatResults([result])}`);
    });
  }

  it('fails a fault whose alert does not come', async () => {
    const [denied] = faults.filter((each) => each.name === 'denied-plugin');
    assert.ok(denied !== undefined);
    const harmless = { ...denied, leadSeconds: 1, inject: () => Promise.resolve(() => Promise.resolve()) };
    const result = await runFault(harmless, { project, factor });
    assert.deepEqual(
      result.verdicts.flatMap(({ failures }) => failures),
      ['did not fire in time'],
    );
    assert.ok(!isPassed(result));
  });
});
