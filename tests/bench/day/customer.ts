import { setTimeout as wait } from 'node:timers/promises';
import { bookingAt, type Order, type Place } from '../../support/journey.ts';
import type { Crowd, Who } from './api.ts';
import type { Chances } from './chances.ts';

export interface CustomerOptions {
  readonly crowd: Crowd;
  readonly chances: Chances;
  readonly paceMs: number;
  readonly place: Place;
  readonly who: Who;
  readonly onFailure: (what: string) => void;
  /** Told of each order that was booked. */
  readonly onBooked: (orderId: string) => void;
}

const hourMs = 3_600_000;

/** Books; some cancel a little later. */
export async function bookOne(options: CustomerOptions): Promise<void> {
  const { crowd, chances, who, place, paceMs, onFailure, onBooked } = options;
  const method = chances.card();
  const booking = bookingAt(place, method === undefined ? {} : { paymentMethod: method });
  const { status, body } = await crowd.call<Order>(who, 'POST', '/orders', booking);
  if (status !== 201) return onFailure(`booking answered ${status} ${JSON.stringify(body)}`);
  onBooked(body.orderId);
  if (!chances.customerCancels()) return;
  await wait(chances.between(0.2, 4) * paceMs);
  const answer = await crowd.call(who, 'POST', `/orders/${body.orderId}/cancel`, { reason: 'changed my mind' });
  if (![200, 409].includes(answer.status)) onFailure(`cancel answered ${answer.status}`);
}

/** What a customer does whose parcels could not be picked up: tries again, or gives up. */
export async function answerFailedPickup(
  options: Omit<CustomerOptions, 'place' | 'onBooked'>,
  orderId: string,
): Promise<void> {
  const { crowd, chances, who, onFailure } = options;
  const nowMs = Date.now();
  const again = chances.customerTriesAgain();
  const pickupWindow = { start: new Date(nowMs).toISOString(), end: new Date(nowMs + 2 * hourMs).toISOString() };
  const { status, body } = again
    ? await crowd.call(who, 'POST', `/orders/${orderId}/reschedule`, { pickupWindow })
    : await crowd.call(who, 'POST', `/orders/${orderId}/cancel`, { reason: 'not at home again' });
  if (![200, 409].includes(status)) onFailure(`after a failed pickup: ${status} ${JSON.stringify(body)}`);
}
