import type { ProviderName } from '../settings.ts';

/** What the plugin needs of a payment provider. Each question is answered the same however often it is asked with one key. */
export interface PaymentProvider {
  readonly name: ProviderName;
  /** Reserves the amount. */
  authorise(request: AuthoriseRequest): Promise<Answer>;
  /** Takes the amount of what is reserved, and releases the rest. */
  capture(request: MoveRequest): Promise<Answer>;
  /** Gives a reservation back. */
  void(request: MoveRequest): Promise<Answer>;
  /** Gives the amount of what was captured back. */
  refund(request: MoveRequest): Promise<Answer>;
  /** What became of an authorisation whose answer is not known; undefined when the provider has none. */
  find(
    operationId: string,
    options: { readonly since: Date; readonly signal: AbortSignal },
  ): Promise<ProviderPayment | undefined>;
  /** What is true of a payment now; undefined when the provider has none. */
  inspect(reference: string, signal: AbortSignal): Promise<ProviderPayment | undefined>;
  /** The payments that were created in a span of time, page by page. Single refunds and disputes are left out. */
  list(span: Span): Promise<{ readonly payments: readonly ProviderPayment[]; readonly nextCursor: string | null }>;
}

interface Ask {
  readonly idempotencyKey: string;
  /** Goes with the request, and comes back with what the provider tells of it. */
  readonly operationId: string;
  readonly orderId: string;
  readonly amountMinor: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly signal: AbortSignal;
}

export interface AuthoriseRequest extends Ask {
  readonly method: string;
}

export interface MoveRequest extends Ask {
  /** The provider's, of the authorisation. */
  readonly reference: string;
}

export interface Span {
  readonly from: Date;
  readonly to: Date;
  readonly cursor: string | null;
  readonly signal: AbortSignal;
}

export type Answer =
  | { readonly kind: 'done'; readonly payment: ProviderPayment }
  /** Surely nothing has moved, and asking again will not change that. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface ProviderPayment {
  readonly reference: string;
  /** Of the authorisation; null for what was not made by us. */
  readonly operationId: string | null;
  readonly state: 'unknown' | 'declined' | 'authorised' | 'captured' | 'voided';
  readonly amountMinor: number;
  readonly capturedMinor: number;
  /** Null where it was not asked for. */
  readonly refundedMinor: number | null;
  readonly currency: string;
  /** Of a decline or an end. */
  readonly reason: string | null;
  readonly refunds: readonly ProviderRefund[];
  readonly disputes: readonly ProviderDispute[];
}

export interface ProviderRefund {
  readonly reference: string;
  /** Null for what was not made by us. */
  readonly operationId: string | null;
  readonly amountMinor: number;
  /** succeeded: the provider has taken it on. failed: the money came back. */
  readonly state: 'succeeded' | 'failed';
}

export interface ProviderDispute {
  readonly reference: string;
  readonly state: DisputeState;
  readonly amountMinor: number;
  readonly reason: string;
}

export type DisputeState = 'opened' | 'won' | 'lost';

/** Money may have moved: only the provider can tell. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

/** The question has surely changed nothing: it did not get there, or was turned away at the door. */
export class ProviderUnavailable extends Error {
  override readonly name = 'ProviderUnavailable';
}
