export const operationKinds = ['authorise', 'capture', 'void', 'refund'] as const;
export type OperationKind = (typeof operationKinds)[number];

/**
 * pending: not answered, whether asked or not. failed: refused by the provider. superseded: nobody had asked when it was
 * no longer wanted.
 */
export const operationStatuses = ['pending', 'succeeded', 'failed', 'superseded'] as const;
export type OperationStatus = (typeof operationStatuses)[number];

/** policy: an order's event asked for it; provider: somebody did it in the provider's own dashboard. */
export type Requester = 'policy' | 'ops' | 'provider';

export interface Operation {
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly number: number;
  readonly amountMinor: number;
  readonly status: OperationStatus;
  /** ISO 8601; null before anybody asked. */
  readonly askedAt: string | null;
  readonly providerReference: string | null;
  readonly failureReason: string | null;
  readonly requestedBy: Requester;
}

/**
 * The provider's key belongs to the operation on the order, not to a row or an attempt: whatever is delivered, restarted
 * or retried, the provider sees one operation. A new number is a new intent, after the one before was refused for sure.
 */
export function operationKey(orderId: string, kind: OperationKind, number: number): string {
  return `order:${orderId}:${kind}:${number}`;
}

/**
 * With back-off from 1 s doubling to an hour, the attempts that an order waits for outlast an outage of the provider of
 * about 3 hours. The further ones go on for days: only the provider can tell whether it holds the money.
 */
export const attempts = { waitedFor: 15, retryLimit: 100 } as const;

/** The job that does an operation of this kind. */
export function queueOf(kind: OperationKind): string {
  return `payments.${kind}`;
}
