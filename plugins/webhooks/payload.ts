/** What partners are told: who, where and what is in the parcels they ask the API, with their own rights. */
import type { DomainEvent } from '#plugin-api';

/** Grows when a field changes its meaning or goes; new fields do not count. */
export const schemaVersion = 1;

export const orderEvents = [
  'order.created',
  'order.scheduled',
  'order.assigned',
  'order.unassigned',
  'order.started',
  'order.arrived',
  'order.picked_up',
  'order.pickup_failed',
  'order.delivered',
  'order.completed',
  'order.cancelled',
  'order.updated',
] as const;

export const paymentEvents = [
  'payment.authorised',
  'payment.declined',
  'payment.failed',
  'payment.captured',
  'payment.capture_failed',
  'payment.voided',
  'payment.refunded',
  'payment.disputed',
] as const;

export const testEvent = 'webhook.test';

/** What is read of the events; any of it may be missing in one that is old. */
export interface EventFacts {
  /** Null of a payment that belongs to no order here. */
  readonly orderId?: string | null;
  readonly partnerId?: string | null;
  readonly status?: string;
  readonly from?: string | null;
  readonly version?: number;
  readonly attempt?: number;
  readonly reason?: string;
  readonly amountMinor?: number;
  readonly currency?: string;
  readonly disputeId?: string;
  readonly state?: string;
}

export interface Message {
  readonly messageId: string;
  readonly partnerId: string;
  readonly type: string;
  readonly orderId: string | null;
  readonly subject: string | null;
  /** The place within the subject. */
  readonly rank: number;
  /** There is another before this one, whose rank is one less. */
  readonly hasPredecessor: boolean;
  readonly body: string;
}

/** Undefined when the event is no partner's. */
export function toMessage(
  event: Pick<DomainEvent<EventFacts>, 'id' | 'name' | 'publishedAt' | 'data'>,
): Message | undefined {
  const { id, name, publishedAt, data } = event;
  const { orderId, partnerId, version } = data;
  if (typeof orderId !== 'string' || typeof partnerId !== 'string') return undefined;
  const isOrder = name.startsWith('order.');
  return {
    messageId: `msg_${id}`,
    partnerId,
    type: name,
    orderId,
    subject: `${isOrder ? 'order' : 'payment'}:${orderId}`,
    // Payments have no version: they follow each other as they were published.
    rank: isOrder && version !== undefined ? version : Date.parse(publishedAt),
    hasPredecessor: isOrder && version !== undefined && version > 1,
    body: toBody(name, publishedAt, isOrder ? orderData(data) : paymentData(data)),
  };
}

export function toTestBody(endpointId: string, at: Date): string {
  return toBody(testEvent, at.toISOString(), { endpointId });
}

function toBody(type: string, timestamp: string, data: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ type, timestamp, data: { schemaVersion, ...data } });
}

function orderData(facts: EventFacts): Record<string, unknown> {
  const { orderId, version, status, from, attempt } = facts;
  return { orderId, version, status, previousStatus: from, attempt, reason: codeOf(facts.reason) };
}

function paymentData(facts: EventFacts): Record<string, unknown> {
  const { orderId, amountMinor, currency, disputeId, state } = facts;
  return { orderId, amountMinor, currency, disputeId, state, reason: codeOf(facts.reason) };
}

/** A reason from a list. One that somebody wrote may name people and places: it stays with the order. */
function codeOf(reason: string | undefined): string | undefined {
  return reason !== undefined && /^[a-z][a-z0-9_-]{0,63}$/.test(reason) ? reason : undefined;
}
