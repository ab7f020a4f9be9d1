import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLoopDetector, type StuckHow, type ThreadLook } from '#core/plugin-host/child/loop-detector.ts';

const lookMs = 250;

/** Looks every 250 ms at a thread that changes by `step` each time; what was found, and when. */
function watch(
  step: Partial<Omit<ThreadLook, 'nowMs'>>,
  looks: number,
): { readonly how: StuckHow | null; readonly atMs: number } {
  const detector = createLoopDetector({ loopMs: 3000, loopRatio: 0.98 });
  let look: ThreadLook = { nowMs: 0, beats: 1, utilization: 0, answers: 1, threadCpuMs: 0, processCpuMs: 0 };
  detector.look(look);
  for (let index = 0; index < looks; index += 1) {
    look = {
      nowMs: look.nowMs + lookMs,
      beats: look.beats + (step.beats ?? 0),
      utilization: step.utilization ?? 1,
      answers: look.answers + (step.answers ?? 0),
      threadCpuMs: look.threadCpuMs + (step.threadCpuMs ?? 0),
      processCpuMs: look.processCpuMs + (step.processCpuMs ?? step.threadCpuMs ?? 0),
    };
    const how = detector.look(look);
    if (how !== null) return { how, atMs: look.nowMs };
  }
  return { how: null, atMs: look.nowMs };
}

describe('createLoopDetector()', () => {
  it('finds a loop after loopMs', () => {
    assert.deepEqual(watch({ answers: 1, threadCpuMs: 250 }, 40), { how: 'computes', atMs: 3500 });
  });

  it('waits longer for the same loop on a machine that gives it a quarter of a processor', () => {
    assert.deepEqual(watch({ answers: 1, threadCpuMs: 62 }, 80), { how: 'computes', atMs: 12_500 });
  });

  it('lets a callback run that gets an eighth of a processor for ten seconds', () => {
    assert.equal(watch({ answers: 1, threadCpuMs: 31 }, 40).how, null);
  });

  it('finds a thread that waits: it answers and uses nothing', () => {
    assert.deepEqual(watch({ answers: 1, threadCpuMs: 0.05 }, 40), { how: 'waits', atMs: 3250 });
  });

  it('takes a thread that gets a slice of one millisecond now and then for one that computes', () => {
    assert.equal(watch({ answers: 1, threadCpuMs: 3 }, 40).how, null);
  });

  it('finds native code by the processor time of the process', () => {
    assert.deepEqual(watch({ threadCpuMs: 0, processCpuMs: 250 }, 40), { how: 'native', atMs: 3250 });
  });

  it('finds nothing where nothing answers and nothing runs', () => {
    assert.equal(watch({}, 400).how, null);
  });

  it('finds nothing in a thread that beats, or that waits for events', () => {
    assert.equal(watch({ beats: 1, answers: 1, threadCpuMs: 250 }, 400).how, null);
    assert.equal(watch({ utilization: 0.9, answers: 1, threadCpuMs: 225 }, 400).how, null);
  });
});
