import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toTimeline, type TimelineEntry } from '#core/cli/orders-timeline.ts';
import { at, operations, order, payment, trace } from './order-story.ts';

describe('toTimeline()', () => {
  it('puts what every plugin knows in the order in which it happened', () => {
    const what = (entry: TimelineEntry): string => `${entry.at.slice(14, 16)} ${entry.part}: ${entry.what}`;
    const entries = toTimeline({
      order,
      payments: [
        {
          ...payment,
          operations,
          disputes: [{ amountMinor: 500, state: 'opened', reason: 'unknown', openedAt: at(30) }],
        },
      ],
      offers: [{ driverId: 'd1', state: 'declined', reason: 'break', createdAt: at(4), closedAt: at(5) }],
      assignment: { history: [{ step: 'accepted', driverId: 'd2', byKind: 'driver', byId: 'd2', at: at(7) }] },
      notifications: [
        {
          template: 'order.created',
          channel: 'email',
          recipientRole: 'customer',
          recipientId: 'anna',
          state: 'sent',
          createdAt: at(1),
          sentAt: at(8),
        },
      ],
      deliveries: [
        {
          type: 'order.created',
          partnerId: 'shop',
          state: 'failed',
          attempts: 3,
          lastStatus: 500,
          createdAt: at(1),
          finishedAt: at(20),
        },
      ],
    });
    assert.deepEqual(entries.map(what), [
      '01 order: created · customer anna',
      '02 payment: opened 12.50 USD',
      '02 payment: authorise 12.50 USD done',
      '03 order: scheduled from created · system payments',
      '04 offer: offered to d1',
      '05 offer: d1 declined (break)',
      '07 assignment: accepted d2 · driver d2',
      '08 message: order.created by email to customer anna sent',
      '20 webhook: order.created to shop failed after 3 attempts (500)',
      '30 payment: disputed 5.00 USD opened (unknown)',
    ]);
    assert.deepEqual(entries.map(({ traceId }) => traceId).filter(Boolean), [trace]);
  });

  it('takes less, and other things, without failing', () => {
    const strange = [{}, { createdAt: 5 }, { state: null, createdAt: 'yesterday' }];
    const entries = toTimeline({
      order: {},
      payments: strange,
      offers: strange,
      assignment: null,
      notifications: strange,
      deliveries: strange,
    });
    assert.ok(entries.every(({ at: time }) => typeof time === 'string'));
  });
});
