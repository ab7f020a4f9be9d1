/** An order as its plugins tell of it. */

export const orderId = '01a204f9-41f0-7423-8dd5-d3e55a9f64a8';
export const trace = 'a'.repeat(32);
export const at = (minute: number): string => `2026-05-04T09:${String(minute).padStart(2, '0')}:00.000Z`;

export const order = {
  orderId,
  status: 'assigned',
  attempt: 2,
  customerId: 'anna',
  partnerId: null,
  driverId: 'd2',
  reference: 'R-1',
  pickup: { line1: '1 Main Street', city: 'Springfield', country: 'US' },
  pickupWindow: { start: at(0), end: at(59) },
  destination: { kind: 'store', name: 'The Store' },
  price: { amountMinor: 1250, currency: 'USD' },
  cancelReason: null,
  createdAt: at(1),
  history: [
    {
      sequence: 1,
      from: null,
      to: 'created',
      actorKind: 'customer',
      actorId: 'anna',
      reason: null,
      traceId: trace,
      occurredAt: at(1),
    },
    {
      sequence: 2,
      from: 'created',
      to: 'scheduled',
      actorKind: 'system',
      actorId: 'payments',
      reason: null,
      occurredAt: at(3),
    },
  ],
};
export const payment = {
  paymentId: 'p1',
  status: 'authorised',
  amountMinor: 1250,
  capturedMinor: 1250,
  currency: 'USD',
  createdAt: at(2),
};
export const operations = [
  { kind: 'authorise', amountMinor: 1250, status: 'done', createdAt: at(2), answeredAt: at(2) },
];
