import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { quietUntil } from '../../../plugins/notifications/quiet-hours.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { createFakeChannel, startMessenger, type FakeChannel, type Messenger } from './messenger.ts';

const until = (at: string, start: string, end: string, zone: string): string | null => {
  const ms = quietUntil(Date.parse(at), { start, end }, zone);
  return ms === null ? null : new Date(ms).toISOString();
};

describe('quietUntil()', () => {
  it('is in local time, within a day and over midnight', () => {
    assert.equal(until('2026-01-10T21:30:00Z', '22:00', '07:00', 'Europe/Berlin'), '2026-01-11T06:00:00.000Z');
    assert.equal(until('2026-01-11T05:59:00Z', '22:00', '07:00', 'Europe/Berlin'), '2026-01-11T06:00:00.000Z');
    assert.equal(until('2026-01-11T06:00:00Z', '22:00', '07:00', 'Europe/Berlin'), null);
    assert.equal(until('2026-01-10T20:59:59Z', '22:00', '07:00', 'Europe/Berlin'), null);
    assert.equal(until('2026-01-10T21:30:00Z', '22:00', '07:00', 'America/New_York'), null);
    assert.equal(until('2026-01-10T12:30:00Z', '12:00', '14:00', 'UTC'), '2026-01-10T14:00:00.000Z');
    assert.equal(until('2026-01-10T14:00:00Z', '12:00', '14:00', 'UTC'), null);
  });

  it('is an hour shorter or longer in the nights in which clocks are changed', () => {
    assert.equal(until('2026-03-28T22:00:00Z', '23:00', '07:00', 'Europe/Berlin'), '2026-03-29T05:00:00.000Z');
    assert.equal(until('2026-10-24T21:00:00Z', '23:00', '07:00', 'Europe/Berlin'), '2026-10-25T06:00:00.000Z');
    // 02:30 does not exist on that day, and comes twice on this one.
    assert.equal(until('2026-03-29T00:30:00Z', '23:00', '02:30', 'Europe/Berlin'), '2026-03-29T01:30:00.000Z');
    assert.equal(until('2026-10-25T00:10:00Z', '23:00', '02:30', 'Europe/Berlin'), '2026-10-25T00:30:00.000Z');
    assert.equal(until('2026-10-25T01:10:00Z', '23:00', '02:30', 'Europe/Berlin'), '2026-10-25T01:30:00.000Z');
  });

  it('ends within 25 hours, later than now, and is over then', () => {
    const time = fc
      .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
      .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
    const zones = fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'Asia/Kolkata',
      'Pacific/Apia',
    );
    const instants = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) });
    fc.assert(
      fc.property(instants, time, time, zones, (nowMs, start, end, zone) => {
        fc.pre(start !== end);
        const endsMs = quietUntil(nowMs, { start, end }, zone);
        if (endsMs === null) return;
        assert.ok(endsMs > nowMs && endsMs - nowMs <= 25 * 3_600_000, new Date(endsMs).toISOString());
        assert.equal(quietUntil(endsMs, { start, end }, zone), null);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('messages in quiet hours', () => {
  let data: PluginDatabase;
  let push: FakeChannel;
  let messenger: Messenger;
  before(async () => {
    data = await createPluginDatabase('notifications');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate notifications, people, order_progress');
    push = createFakeChannel('push');
    messenger = await startMessenger(data, [push]);
    // 23:30 in Vienna.
    messenger.clock.nowMs = Date.parse('2026-05-04T21:30:00Z');
  });
  const night = { timeZone: 'Europe/Vienna', quietHours: { start: '22:00', end: '07:00' } };
  const prefer = (more: object = {}) => messenger.prefer('c1', { pushToken: 'token-of-anna', ...night, ...more });
  const deliver = (event: string, version: number, id = event): Promise<void> =>
    messenger.deliver(event, { orderId: 'o1', customerId: 'c1', version, status: event.slice(6) }, id);
  const told = (): string[] => push.tries.map(({ template }) => template);

  it('go out when they are over, once, and are late by the rest alone', async () => {
    await prefer();
    await deliver('order.delivered', 7);
    await messenger.runDue();
    assert.deepEqual(told(), []);
    assert.equal(messenger.counted('push', 'held'), 1);
    const [{ state } = { state: '' }] = await messenger.states();
    assert.equal(state, 'held');
    await messenger.runAll();
    assert.deepEqual(told(), ['order.delivered']);
    assert.equal(new Date(messenger.clock.nowMs).toISOString(), '2026-05-05T05:00:00.000Z');
    assert.deepEqual(
      messenger.running.recorded.observed.map(({ value }) => value),
      [0],
    );
  });

  it('come at once when they are urgent, unless somebody wants none of them either', async () => {
    await prefer();
    await deliver('order.started', 4);
    await messenger.runDue();
    assert.deepEqual(told(), ['order.started']);
    await prefer({ urgentPasses: false });
    await deliver('order.arrived', 5);
    await messenger.runDue();
    assert.deepEqual(told(), ['order.started']);
    await messenger.runAll();
    assert.deepEqual(told(), ['order.started', 'order.arrived']);
  });

  it('pass when NOTIFICATIONS_URGENT says so', async () => {
    messenger = await startMessenger(data, [push], { NOTIFICATIONS_URGENT: 'order.delivered' });
    messenger.clock.nowMs = Date.parse('2026-05-04T21:30:00Z');
    await prefer();
    await deliver('order.started', 4);
    await deliver('order.delivered', 7);
    await messenger.runDue();
    assert.deepEqual(told(), ['order.delivered']);
  });

  it('are dropped when the order has gone on meanwhile, and what counts is told in the morning', async () => {
    await prefer();
    await deliver('order.scheduled', 2);
    await deliver('order.assigned', 3);
    await messenger.runDue();
    messenger.clock.nowMs += 3_600_000;
    await deliver('order.cancelled', 4);
    await messenger.runAll();
    assert.deepEqual(told(), ['order.cancelled']);
    assert.equal(messenger.counted('push', 'superseded'), 2);
  });

  it('wait for the hours that hold when they are sent: a try that failed before them is held too', async () => {
    messenger.clock.nowMs = Date.parse('2026-05-04T19:59:58Z');
    await prefer();
    push.script.push({ kind: 'deferred', reason: 'HTTP 503' });
    await deliver('order.delivered', 7);
    await messenger.runDue();
    await messenger.runAll();
    assert.equal(push.tries.length, 2);
    assert.equal(new Date(messenger.clock.nowMs).toISOString(), '2026-05-05T05:00:00.000Z');
  });

  it('are not sent by a channel that was switched off meanwhile', async () => {
    await prefer();
    await deliver('order.delivered', 7);
    await messenger.runDue();
    await prefer({ channels: { parcels: { push: 'off' } } });
    await messenger.runAll();
    assert.deepEqual(told(), []);
    assert.equal(messenger.counted('push', 'off'), 1);
  });
});
