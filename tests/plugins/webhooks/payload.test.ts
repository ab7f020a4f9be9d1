import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { orderEvents, paymentEvents, toMessage, type EventFacts } from '../../../plugins/webhooks/payload.ts';
import { toEvent } from '../support/database-adapter.ts';

const orderId = '01900000-0000-7000-8000-000000000001';
/** All that an order event carries. */
const order = {
  orderId,
  status: 'assigned',
  from: 'scheduled',
  version: 3,
  attempt: 1,
  customerId: 'customer-kim',
  partnerId: 'p1',
  driverId: 'driver-lee',
  pickup: { lat: 48.1, lon: 11.5 },
  pickupWindow: { start: '2026-05-04T08:00:00.000Z', end: '2026-05-04T10:00:00.000Z' },
  destination: { lat: 48.2, lon: 11.6, kind: 'store' },
  parcels: 2,
  volumeL: 77,
  by: { kind: 'system', id: 'drivers' },
  payment: { amountMinor: 500, currency: 'EUR', method: 'tok_visa' },
};

const told = (name: string, data: EventFacts): unknown => JSON.parse(toMessage(toEvent(name, data))?.body ?? 'null');

describe('toMessage()', () => {
  it('tells the state and its version, and nobody and nowhere', () => {
    assert.deepEqual(told('order.assigned', order), {
      type: 'order.assigned',
      timestamp: '2026-05-04T08:00:00.000Z',
      data: { schemaVersion: 1, orderId, version: 3, status: 'assigned', previousStatus: 'scheduled', attempt: 1 },
    });
    for (const name of orderEvents) {
      const text = JSON.stringify(told(name, order));
      for (const word of ['kim', 'lee', '48.', '11.', 'tok_', 'drivers'])
        assert.ok(!text.includes(word), `${name} ${word}`);
    }
  });

  it('tells amounts of payments', () => {
    const payment = { orderId, customerId: 'customer-kim', partnerId: 'p1', amountMinor: 690, currency: 'EUR' };
    for (const name of paymentEvents) {
      const { data } = told(name, payment) as { data: object };
      assert.deepEqual(data, { schemaVersion: 1, orderId, amountMinor: 690, currency: 'EUR' });
    }
  });

  it('tells reasons that are from a list, and no text that somebody wrote', () => {
    const reasonOf = (reason: string) =>
      (told('order.cancelled', { ...order, reason }) as { data: { reason?: string } }).data.reason;
    assert.equal(reasonOf('nobody_home'), 'nobody_home');
    for (const reason of ['Kim is on holiday', 'call 555', 'Kim', '', 'a'.repeat(65)])
      assert.equal(reasonOf(reason), undefined);
  });

  it('has an order of versions for an order, of times for payments, and nothing for nobody', () => {
    const of = (name: string, data: EventFacts) => {
      const { subject, rank, hasPredecessor } = toMessage(toEvent(name, data)) ?? {};
      return [subject, rank, hasPredecessor];
    };
    assert.deepEqual(of('order.assigned', order), [`order:${orderId}`, 3, true]);
    assert.deepEqual(of('order.created', { ...order, version: 1 }), [`order:${orderId}`, 1, false]);
    const { version: _version, ...old } = order;
    const publishedMs = Date.parse('2026-05-04T08:00:00.000Z');
    assert.deepEqual(of('order.created', old), [`order:${orderId}`, publishedMs, false]);
    assert.deepEqual(of('payment.captured', order), [`payment:${orderId}`, publishedMs, false]);
    assert.equal(toMessage(toEvent('order.created', { ...order, partnerId: null })), undefined);
    assert.equal(toMessage(toEvent('payment.disputed', { partnerId: 'p1' })), undefined);
    assert.equal(toMessage(toEvent('payment.disputed', { orderId: null, partnerId: 'p1' })), undefined);
  });
});
