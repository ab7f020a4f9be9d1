import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Fix } from '../../../plugins/tracking/fix.ts';
import { createPlausibility, type Plausibility, type Sighting } from '../../../plugins/tracking/plausibility.ts';

const startMs = Date.parse('2026-05-04T08:00:00Z');
const none: ReadonlyMap<string, Sighting> = new Map();

/** A place so many metres north of the first one. */
function fixAt(second: number, northM: number, changes: Partial<Fix> = {}): Fix {
  return {
    driverId: 'd1',
    device: 'phone',
    recordedAt: new Date(startMs + second * 1000).toISOString(),
    lat: 48 + northM / 111_195,
    lon: 11,
    accuracyM: 5,
    speedMps: null,
    headingDeg: null,
    flags: [],
    ...changes,
  };
}

const create = (devicesMax = 100): Plausibility => createPlausibility({ speedMaxMps: 100, devicesMax });
const flagsOf = (plausibility: Plausibility, fixes: readonly Fix[], known = none): readonly boolean[] =>
  plausibility.flag(fixes, known).map(({ flags }) => flags.includes('impossible_speed'));

describe('createPlausibility()', () => {
  it('flags the fix that a device cannot have reached, and not the one after it', () => {
    const plausibility = create();
    assert.deepEqual(flagsOf(plausibility, [fixAt(0, 0), fixAt(1, 20), fixAt(2, 50_000), fixAt(3, 60)]), [
      false,
      false,
      true,
      false,
    ]);
    assert.deepEqual(flagsOf(plausibility, [fixAt(4, 50_000)]), [true]);
    assert.deepEqual(flagsOf(plausibility, [fixAt(5, 100)]), [false]);
  });

  it('looks at a batch in the order of fix times, and answers in the order that it came in', () => {
    assert.deepEqual(flagsOf(create(), [fixAt(2, 50_000), fixAt(3, 60), fixAt(0, 0), fixAt(1, 20)]), [
      true,
      false,
      false,
      false,
    ]);
  });

  it('begins with the newest position of the device when it remembers nothing', () => {
    const sighting = { timeMs: startMs, lat: 48, lon: 11, accuracyM: 5 };
    const plausibility = create();
    const fix = fixAt(1, 50_000);
    assert.deepEqual(plausibility.unknownDrivers([fix, fix]), ['d1']);
    assert.deepEqual(flagsOf(plausibility, [fix], new Map([['d1/phone', sighting]])), [true]);
    assert.deepEqual(plausibility.unknownDrivers([fix]), []);
    assert.deepEqual(flagsOf(create(), [fix], new Map([['d1/tablet', sighting]])), [false]);
  });

  it('keeps the devices of a driver apart', () => {
    assert.deepEqual(flagsOf(create(), [fixAt(0, 0), fixAt(0, 50_000, { device: 'tablet' })]), [false, false]);
  });

  it('allows what the accuracy leaves open, and a long way in a long time', () => {
    assert.deepEqual(flagsOf(create(), [fixAt(0, 0), fixAt(1, 190, { accuracyM: null })]), [false, true]);
    assert.deepEqual(flagsOf(create(), [fixAt(0, 0), fixAt(1, 150, { accuracyM: null })]), [false, false]);
    assert.deepEqual(flagsOf(create(), [fixAt(0, 0), fixAt(3600, 350_000)]), [false, false]);
  });

  it('does not let late fixes or inaccurate ones move what it believes', () => {
    const plausibility = create();
    assert.deepEqual(flagsOf(plausibility, [fixAt(3600, 0), fixAt(0, 300_000), fixAt(3601, 40)]), [
      false,
      false,
      false,
    ]);
    assert.deepEqual(flagsOf(plausibility, [fixAt(3602, 90_000, { flags: ['inaccurate'] }), fixAt(3603, 60)]), [
      false,
      false,
    ]);
  });

  it('believes three that agree with each other, for then the place before was wrong', () => {
    const plausibility = create();
    assert.deepEqual(flagsOf(plausibility, [fixAt(0, 0), fixAt(1, 90_000), fixAt(2, 90_010), fixAt(3, 90_020)]), [
      false,
      true,
      true,
      false,
    ]);
    assert.deepEqual(flagsOf(plausibility, [fixAt(4, 90_030)]), [false]);
  });

  it('takes a batch that comes again for no second witness', () => {
    const plausibility = create();
    plausibility.flag([fixAt(0, 0)], none);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      assert.deepEqual(flagsOf(plausibility, [fixAt(1, 90_000)]), [true]);
    }
  });

  it('remembers a bounded number of devices', () => {
    const plausibility = create(2);
    const fixes = ['a', 'b', 'c'].map((device) => fixAt(0, 0, { device }));
    plausibility.flag(fixes, none);
    assert.deepEqual(plausibility.unknownDrivers(fixes.slice(1)), []);
    assert.deepEqual(plausibility.unknownDrivers(fixes.slice(0, 1)), ['d1']);
  });
});
