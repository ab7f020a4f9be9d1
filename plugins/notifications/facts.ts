import { audienceOf, roles, type Role, type TemplateName } from './audience.ts';

/** What messages are made of, and what decides about them. Another plugin publishes it, and may leave members out. */
export interface Facts {
  readonly orderId: string | null;
  readonly customerId: string | null;
  readonly driverId: string | null;
  readonly partnerId: string | null;
  /** Of the order, grows by one a step. */
  readonly version: number | null;
  readonly status: string | null;
  /** Of an order's assignments, grows with each and with its end. */
  readonly sequence: number | null;
  readonly reason: string | null;
  /** Of `order.pickup_failed`. */
  readonly attemptsLeft: number | null;
  /** Which pickup of the order it is, 1 at first. */
  readonly attempt: number | null;
  /** Of `driver.unavailable`: nobody looks for a driver any more. */
  readonly final: boolean;
  readonly pickupWindow: { readonly start: string; readonly end: string } | null;
  /** Of an offer. */
  readonly expiresAt: string | null;
  /** Of a document: a day, `2026-05-04`. */
  readonly expiresOn: string | null;
  /** Of `driver.document_expiring`: which kind of document. */
  readonly document: string | null;
  /** Of a partner's webhook. */
  readonly host: string | null;
  readonly amountMinor: number | null;
  readonly currency: string | null;
}

export interface Recipient {
  readonly role: Role;
  readonly id: string;
}

/** Who asks, as somebody who is told. Routes let nobody else in. */
export function toRecipient({ role, id }: { readonly role: string; readonly id: string }): Recipient {
  const own = roles.find((name) => name === role);
  if (own === undefined) throw new TypeError(`nobody tells a ${role} anything`);
  return { role: own, id };
}

const textMax = 200;

/** Takes what has the right type; whatever else an event holds is not there. */
export function readFacts(data: unknown): Facts {
  const from = toRecord(data);
  const window = toRecord(from['pickupWindow']);
  const [start, end] = [toTime(window['start']), toTime(window['end'])];
  const payment = toRecord(from['payment']);
  return {
    orderId: toText(from['orderId']),
    customerId: toText(from['customerId']),
    driverId: toText(from['driverId']),
    partnerId: toText(from['partnerId']),
    version: toWhole(from['version']),
    status: toText(from['status']),
    sequence: toWhole(from['sequence']),
    reason: toText(from['reason']),
    attemptsLeft: toWhole(from['attemptsLeft']),
    attempt: toWhole(from['attempt']),
    final: from['final'] === true,
    pickupWindow: start === null || end === null || start > end ? null : { start, end },
    expiresAt: toTime(from['expiresAt']),
    expiresOn: toDay(from['expiresOn']),
    document: toText(from['kind'] ?? from['document']),
    host: toText(from['host']),
    amountMinor: toWhole(from['amountMinor'] ?? payment['amountMinor']),
    currency: toCurrency(from['currency'] ?? payment['currency']),
  };
}

/** Undefined when there is nobody to tell, such as for an order without a customer. */
export function recipientOf(template: TemplateName, facts: Facts): Recipient | undefined {
  // Who gives an order back knows it.
  if (template === 'driver.unassigned' && facts.reason === 'gave_back') return undefined;
  // That the pickup has failed tells it.
  if (template === 'driver.unavailable' && facts.final) return undefined;
  const { role } = audienceOf(template);
  const id = facts[`${role}Id`];
  return id === null ? undefined : { role, id };
}

const toRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/**
 * One line: whatever ends a line or turns the direction of writing would let somebody's text pass for ours, in a subject
 * or in a sentence.
 */
function toText(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const text = value
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufeff]+/gu, ' ')
    .toWellFormed()
    .trim();
  return text === '' ? null : text.slice(0, textMax).toWellFormed();
}

const toWhole = (value: unknown): number | null => (Number.isSafeInteger(value) ? (value as number) : null);

const toTime = (value: unknown): string | null =>
  typeof value === 'string' && value.length <= 40 && !Number.isNaN(Date.parse(value))
    ? new Date(value).toISOString()
    : null;

const toDay = (value: unknown): string | null =>
  typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)) ? value : null;

const toCurrency = (value: unknown): string | null =>
  typeof value === 'string' && /^[A-Za-z]{3}$/.test(value) ? value.toUpperCase() : null;
