import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { templateNames } from '../../../plugins/notifications/audience.ts';
import {
  decide,
  isOutdated,
  retryDelayMs,
  type OpenMessage,
  type Situation,
} from '../../../plugins/notifications/decision.ts';
import { contactChannels, unknownPerson } from '../../../plugins/notifications/person.ts';
import { readSettings } from '../../../plugins/notifications/settings.ts';

const settings = readSettings({});
const nowMs = Date.parse('2026-05-04T12:00:00Z');
const message: OpenMessage = {
  state: 'pending',
  template: 'order.started',
  channel: 'push',
  eventAtMs: nowMs,
  orderVersion: 4,
  assignmentSequence: null,
  expiresAtMs: null,
  attempts: 0,
  dueAtMs: null,
  heldUntilMs: null,
  claimedAtMs: null,
};
const nothing = { version: null, status: null, assignmentSequence: null };
const situation = (more: Partial<OpenMessage>, rest: Partial<Situation> = {}): Situation => ({
  message: { ...message, ...more },
  progress: nothing,
  newerTold: false,
  person: { ...unknownPerson('customer', 'c1'), pushToken: 'token-of-anna' },
  ...rest,
});
const kindOf = (of: Situation): string => {
  const decision = decide(of, settings, nowMs);
  return decision.kind === 'drop' ? decision.reason : decision.kind;
};

describe('decide()', () => {
  it('sends what is prompt and in its place, though the order is further; not what is late or behind', () => {
    const further = { progress: { ...nothing, version: 6, status: 'picked_up' } };
    assert.equal(kindOf(situation({}, further)), 'send');
    assert.equal(kindOf(situation({}, { ...further, newerTold: true })), 'superseded');
    assert.equal(kindOf(situation({ attempts: 1 }, further)), 'superseded');
    assert.equal(kindOf(situation({ heldUntilMs: nowMs }, further)), 'superseded');
    assert.equal(kindOf(situation({ eventAtMs: nowMs - 60_001 }, further)), 'superseded');
    assert.equal(kindOf(situation({ eventAtMs: nowMs - 60_001 })), 'send');
    const final = { template: 'order.delivered', eventAtMs: nowMs - 60_001, attempts: 3 } as const;
    assert.equal(kindOf(situation(final, { ...further, newerTold: true })), 'send');
  });

  it('keeps to the try that may be under way, and takes it over when its time is over', () => {
    const sending = { state: 'sending', attempts: 1, claimedAtMs: nowMs - 29_999 } as const;
    assert.deepEqual(decide(situation(sending), settings, nowMs), { kind: 'wait', untilMs: nowMs + 1 });
    assert.equal(kindOf(situation({ ...sending, claimedAtMs: nowMs - 30_000 })), 'send');
    assert.equal(kindOf(situation({ ...sending, claimedAtMs: nowMs - 30_000, attempts: 10 })), 'give-up');
  });

  it('never waits or holds until a time that has passed, and never sends what has run out', () => {
    const ms = fc.integer({ min: nowMs - 200_000_000, max: nowMs + 200_000_000 });
    const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
    const anyMessage: fc.Arbitrary<OpenMessage> = fc.record({
      state: fc.constantFrom('pending', 'held', 'sending'),
      template: fc.constantFrom(...templateNames),
      channel: fc.constantFrom(...contactChannels, 'log'),
      eventAtMs: ms,
      orderVersion: orNull(fc.nat(9)),
      assignmentSequence: orNull(fc.nat(9)),
      expiresAtMs: orNull(ms),
      attempts: fc.nat(12),
      dueAtMs: orNull(ms),
      heldUntilMs: orNull(ms),
      claimedAtMs: orNull(ms),
    });
    const progress = fc.record({
      version: orNull(fc.nat(9)),
      status: orNull(fc.constantFrom('created', 'assigned', 'picked_up', 'cancelled')),
      assignmentSequence: orNull(fc.nat(9)),
    });
    const quiet = orNull(fc.constantFrom({ start: '11:00', end: '13:00' }, { start: '22:00', end: '07:00' }));
    fc.assert(
      fc.property(anyMessage, progress, quiet, fc.boolean(), (drawn, known, quietHours, newerTold) => {
        const person = { ...unknownPerson('customer', 'c1'), quietHours };
        const decision = decide({ message: drawn, progress: known, newerTold, person }, settings, nowMs);
        if (decision.kind === 'wait' || decision.kind === 'hold') assert.ok(decision.untilMs > nowMs);
        if (decision.kind !== 'send') return;
        assert.ok(drawn.attempts < settings.attemptsMax);
        assert.ok(drawn.expiresAtMs === null || drawn.expiresAtMs > nowMs);
        assert.ok(nowMs - Math.max(drawn.eventAtMs, drawn.heldUntilMs ?? 0) <= settings.eventAgeMaxMs);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('isOutdated()', () => {
  it('compares what belongs together: steps of the order, assignments, offers with what the order has come to', () => {
    const at = (more: Partial<OpenMessage>, known: Partial<Situation['progress']>): boolean =>
      isOutdated({ ...message, orderVersion: null, ...more }, { ...nothing, ...known });
    assert.equal(at({ orderVersion: 4 }, { version: 4 }), false);
    assert.equal(at({ orderVersion: 4 }, { version: 5 }), true);
    assert.equal(
      at({ template: 'driver.assigned', assignmentSequence: 1 }, { version: 9, assignmentSequence: 1 }),
      false,
    );
    assert.equal(at({ template: 'driver.assigned', assignmentSequence: 1 }, { assignmentSequence: 2 }), true);
    assert.equal(at({ template: 'driver.offered' }, { status: 'assigned' }), false);
    assert.equal(at({ template: 'driver.offered' }, { status: 'cancelled' }), true);
    assert.equal(at({ template: 'driver.assigned' }, { status: 'cancelled' }), true);
    assert.equal(at({ template: 'driver.unassigned', assignmentSequence: 2 }, { status: 'cancelled' }), false);
    assert.equal(at({ template: 'driver.unassigned', assignmentSequence: 2 }, { assignmentSequence: 3 }), true);
    assert.equal(at({ template: 'driver.unavailable' }, { status: 'scheduled' }), false);
    assert.equal(at({ template: 'driver.unavailable' }, { status: 'assigned' }), true);
    assert.equal(at({ template: 'driver.unavailable' }, { status: 'pickup_failed' }), true);
  });
});

describe('retryDelayMs()', () => {
  it('doubles from the first to the longest', () => {
    const delays = [1, 2, 3, 4, 8, 9, 50].map((attempts) => retryDelayMs(attempts, settings) / 1000);
    assert.deepEqual(delays, [5, 10, 20, 40, 640, 900, 900]);
  });
});
