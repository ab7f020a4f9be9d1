import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { estimateTravelSeconds, etaRules, toEta, updatePace, type Pace } from '../../../plugins/tracking/eta.ts';

const nowMs = Date.parse('2026-05-04T08:00:00Z');

describe('estimateTravelSeconds()', () => {
  it('is the way with its detours at the speed that is left of it between floor and ceiling', () => {
    assert.equal(estimateTravelSeconds(5000, 7), 1000);
    assert.equal(estimateTravelSeconds(5000, 0), (5000 * 1.4) / 3);
    assert.equal(estimateTravelSeconds(5000, 90), (5000 * 1.4) / 22);
    assert.equal(estimateTravelSeconds(20_000_000, 7), etaRules.secondsMax);
  });

  it('never falls with the distance and never rises with the speed', () => {
    const metres = fc.double({ min: 0, max: 2e7, noNaN: true });
    const speed = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(metres, metres, speed, speed, (m1, m2, s1, s2) => {
        assert.ok(estimateTravelSeconds(Math.min(m1, m2), s1) <= estimateTravelSeconds(Math.max(m1, m2), s1));
        assert.ok(estimateTravelSeconds(m1, Math.max(s1, s2)) <= estimateTravelSeconds(m1, Math.min(s1, s2)));
      }),
    );
  });
});

describe('toEta()', () => {
  it('counts from the time of the position, and is never sooner than a minute', () => {
    const from = (agoSeconds: number, travelSeconds: number) =>
      toEta({ fromMs: nowMs - agoSeconds * 1000, travelSeconds, source: 'estimate' }, nowMs);
    assert.deepEqual(from(0, 600), { seconds: 600, at: '2026-05-04T08:10:00.000Z', source: 'estimate' });
    assert.equal(from(120, 600).seconds, 480);
    assert.equal(from(1000, 600).seconds, 60);
    assert.equal(from(-7200, etaRules.secondsMax).seconds, etaRules.secondsMax);
  });
});

describe('updatePace()', () => {
  it('follows a driver slowly, by time and not by the number of fixes', () => {
    const drive = (seconds: number, step: number, speedMps: number): Pace => {
      let pace: Pace = { atMs: 0, speedMps: 10 };
      for (let at = step; at <= seconds; at += step) pace = updatePace(pace, { atMs: at * 1000, speedMps });
      return pace;
    };
    assert.ok(Math.abs(drive(120, 1, 0).speedMps - 5) < 1e-9);
    assert.ok(Math.abs(drive(120, 60, 0).speedMps - 5) < 1e-9);
    assert.ok(drive(3600, 5, 500).speedMps <= etaRules.speedMaxMps);
  });

  it('stays within its bounds and forgets no newer for an older, whatever is seen', () => {
    const seen = fc.record({
      atMs: fc.integer({ min: 0, max: 1e9 }),
      speedMps: fc.double({ min: 0, max: 1e6, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(seen, { minLength: 1 }), (all) => {
        let pace: Pace | undefined;
        for (const one of all) {
          const next = updatePace(pace, one);
          assert.ok(next.speedMps >= 0 && next.speedMps <= etaRules.speedMaxMps);
          assert.ok(next.atMs >= (pace?.atMs ?? 0));
          pace = next;
        }
      }),
    );
  });
});
