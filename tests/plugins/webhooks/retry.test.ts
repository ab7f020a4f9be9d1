import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  parseRetryAfter,
  pauseSeconds,
  planRetry,
  retryDelaysSeconds,
  shouldDisable,
} from '../../../plugins/webhooks/retry.ts';

const daySeconds = 86_400;

/** When attempts are made, in seconds after the first, of a receiver that always fails. */
function attemptsOver(random: () => number, windowSeconds = daySeconds): number[] {
  const times = [0];
  for (let now = 0; ;) {
    const plan = planRetry({ attempts: times.length, remainingSeconds: windowSeconds - now, random: random() });
    if (plan.kind === 'give-up') return times;
    now += plan.delaySeconds;
    times.push(now);
  }
}

describe('planRetry()', () => {
  it('tries at these times without jitter, the last one at the end of 24 hours', () => {
    const times = attemptsOver(() => 0.5);
    assert.deepEqual(times, [0, 5, 35, 155, 755, 2555, 6155, 13_355, 27_755, 49_355, 70_955, 86_400]);
  });

  it('stands in the README as it is', () => {
    const readme = readFileSync(new URL('../../../plugins/webhooks/README.md', import.meta.url), 'utf8');
    const words = '5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, 6 h';
    const unit = { s: 1, min: 60, h: 3600 } as const;
    const seconds = words.split(', ').map((wait) => {
      const [count = '', name = 's'] = wait.split(' ');
      return Number(count) * unit[name as keyof typeof unit];
    });
    assert.deepEqual(seconds, [...retryDelaysSeconds]);
    assert.ok(readme.includes(words));
  });

  it('ends at the end of the time, never waits less than was asked, and keeps its jitter within a fifth', () => {
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(unit, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 60, max: 7 * daySeconds }),
        (chances, window) => {
          let turn = 0;
          const times = attemptsOver(() => chances[(turn += 1) % chances.length] ?? 0, window);
          assert.equal(times.at(-1), window);
          assert.ok(times.length <= 60);
          for (const [index, time] of times.slice(1, -1).entries()) {
            const delay = time - (times[index] ?? 0);
            const planned = retryDelaysSeconds[Math.min(index, retryDelaysSeconds.length - 1)] ?? 0;
            assert.ok(delay >= planned * 0.8 - 1e-6 && delay <= planned * 1.2 + 1e-6);
          }
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: -10, max: daySeconds }),
        fc.integer({ min: 0, max: daySeconds }),
        unit,
        (attempts, remainingSeconds, retryAfterSeconds, random) => {
          const plan = planRetry({ attempts, remainingSeconds, retryAfterSeconds, random });
          if (plan.kind === 'give-up') assert.ok(remainingSeconds <= 0 || retryAfterSeconds > remainingSeconds);
          else assert.ok(plan.delaySeconds >= retryAfterSeconds && plan.delaySeconds <= remainingSeconds);
        },
      ),
    );
  });
});

describe('pauseSeconds()', () => {
  it('lets two failures pass and then doubles up to a minute', () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 500].map(pauseSeconds), [0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60]);
  });
});

describe('shouldDisable()', () => {
  const limits = { disableAfterSeconds: 100, disableAfterDeliveries: 5 };
  it('does so after long enough, or after enough deliveries in a row', () => {
    assert.equal(shouldDisable({ failingSeconds: 99, failedDeliveries: 4 }, limits), false);
    assert.equal(shouldDisable({ failingSeconds: 100, failedDeliveries: 0 }, limits), true);
    assert.equal(shouldDisable({ failingSeconds: 0, failedDeliveries: 5 }, limits), true);
  });
});

describe('parseRetryAfter()', () => {
  const nowMs = Date.parse('2026-05-04T08:00:00Z');
  const read = (text: string | null) => parseRetryAfter(text, { nowMs, maxSeconds: 3600 });
  it('reads seconds and dates, bounded, and nothing else', () => {
    assert.equal(read('120'), 120);
    assert.equal(read('0'), 0);
    assert.equal(read('999999'), 3600);
    assert.equal(read('Mon, 04 May 2026 08:01:30 GMT'), 90);
    assert.equal(read('Mon, 04 May 2026 07:00:00 GMT'), 0);
    assert.equal(read('Wed, 01 Jan 2098 00:00:00 GMT'), 3600);
    for (const text of [null, '', 'soon', '1.5.2', '99999999999999999999'])
      assert.equal(read(text), undefined, String(text));
  });
});
