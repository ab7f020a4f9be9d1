import { readFacts, type Facts } from '../facts.ts';

/** What a preview is made of unless facts are given. */
export const sampleFacts: Facts = readFacts({
  orderId: '6f1c2a3e-0000-4000-8000-000000000001',
  customerId: 'sample',
  driverId: 'sample',
  partnerId: 'sample',
  host: 'hooks.partner.example',
  version: 3,
  attempt: 1,
  attemptsLeft: 2,
  reason: 'nobody_home',
  pickupWindow: { start: '2026-05-04T08:00:00Z', end: '2026-05-04T10:00:00Z' },
  expiresAt: '2026-05-04T08:05:00Z',
  expiresOn: '2026-06-30',
  kind: 'licence',
  amountMinor: 1250,
  currency: 'EUR',
});
