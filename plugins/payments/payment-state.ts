import type { Operation, OperationKind } from './operation.ts';
import type { ProviderName } from './settings.ts';

/** What is known of the money: declined and voided are ends, captured is one but for refunds. */
export type Intent = 'unknown' | 'declined' | 'authorised' | 'captured' | 'voided';
/** What the order wants of it. fee: keep a part, release the rest. */
export type Wish = 'hold' | 'capture' | 'fee' | 'release';

/**
 * awaited: other events have overtaken order.created. cancelled: over before anybody was asked. cancelling: nobody wants
 * the answer any more, which is still waited for. The others are what they say.
 */
export const paymentStatuses = [
  'awaited',
  'pending',
  'declined',
  'cancelling',
  'cancelled',
  'authorised',
  'capturing',
  'capture_failed',
  'captured',
  'voiding',
  'voided',
  'refunding',
  'refunded',
] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

export interface PaymentFacts {
  readonly paymentId: string;
  readonly orderId: string;
  readonly customerId: string | null;
  readonly partnerId: string | null;
  readonly provider: ProviderName;
  readonly reference: string | null;
  readonly isOpened: boolean;
  readonly amountMinor: number;
  readonly currency: string;
  readonly attempt: number;
  readonly intent: Intent;
  readonly wish: Wish;
  readonly wishVersion: number | null;
  readonly isGivenUp: boolean;
  /** Of a cancellation, once the price is known. */
  readonly feeMinor: number | null;
  readonly capturedMinor: number;
  readonly refundReservedMinor: number;
  readonly refundedMinor: number;
  readonly declineReason: string | null;
  readonly failureReason: string | null;
  /** The order was delivered and could not be paid: the ledger says that the customer owes it. */
  readonly isOwed: boolean;
  readonly driverId: string | null;
  readonly isCompleted: boolean;
  readonly version: number;
}

export interface NextOperation {
  readonly kind: OperationKind;
  readonly amountMinor: number;
}

/** What is left of the payment when all that is wanted has been done; the fee is known as soon as the price is. */
function toKeep({ wish, amountMinor, feeMinor }: PaymentFacts): number {
  if (wish === 'release') return 0;
  return wish === 'fee' ? (feeMinor ?? 0) : amountMinor;
}

/** The operation that leads from what is known to what is wanted; undefined when there is none. */
export function wantedOperation(facts: PaymentFacts): NextOperation | undefined {
  if (!facts.isOpened) return undefined;
  const keepMinor = toKeep(facts);
  if (facts.intent === 'unknown') {
    return facts.wish === 'release' ? undefined : { kind: 'authorise', amountMinor: facts.amountMinor };
  }
  if (facts.intent === 'authorised') {
    if (facts.wish === 'hold') return undefined;
    const isKept = facts.wish === 'capture' || keepMinor > 0;
    return isKept ? { kind: 'capture', amountMinor: keepMinor } : { kind: 'void', amountMinor: facts.amountMinor };
  }
  if (facts.intent === 'captured' && (facts.wish === 'fee' || facts.wish === 'release')) {
    const backMinor = facts.capturedMinor - keepMinor - facts.refundReservedMinor;
    return backMinor > 0 ? { kind: 'refund', amountMinor: backMinor } : undefined;
  }
  return undefined;
}

export interface Plan {
  /** To be opened now. */
  readonly open: NextOperation | undefined;
  /** Not wanted any more, and nobody has asked. */
  readonly supersede: readonly Operation[];
}

/**
 * One question about the whole payment at a time: what was asked is waited for, since its answer decides what there is to
 * do. What failed is not tried again by itself; `attempt` grows when a person orders it.
 */
export function plan(facts: PaymentFacts, operations: readonly Operation[]): Plan {
  const wanted = wantedOperation(facts);
  const main = operations.filter(({ kind, status }) => kind !== 'refund' && status === 'pending');
  const supersede = main.filter(
    (operation) =>
      operation.askedAt === null && (operation.kind !== wanted?.kind || operation.amountMinor !== wanted.amountMinor),
  );
  const isWaiting = main.some((operation) => !supersede.includes(operation));
  if (wanted === undefined || isWaiting) return { open: undefined, supersede };
  return { open: isRefused(facts, operations, wanted) ? fallback(facts, wanted) : wanted, supersede };
}

/** What a person asked for is a person's to ask for again. */
function isRefused(facts: PaymentFacts, operations: readonly Operation[], wanted: NextOperation): boolean {
  const refusals = operations.filter(
    ({ kind, status, requestedBy }) => kind === wanted.kind && status === 'failed' && requestedBy === 'policy',
  );
  return refusals.length >= facts.attempt;
}

/** A fee that cannot be taken is waived: the rest of the reservation must not be kept because of it. */
function fallback(facts: PaymentFacts, refused: NextOperation): NextOperation | undefined {
  return facts.wish === 'fee' && refused.kind === 'capture'
    ? { kind: 'void', amountMinor: facts.amountMinor }
    : undefined;
}

export function statusOf(facts: PaymentFacts, operations: readonly Operation[]): PaymentStatus {
  const { intent, wish } = facts;
  if (!facts.isOpened) return wish === 'release' || wish === 'fee' ? 'cancelled' : 'awaited';
  if (intent === 'declined') return 'declined';
  if (intent === 'unknown') {
    if (wish !== 'release') return 'pending';
    const isAsked = operations.some(({ kind, askedAt }) => kind === 'authorise' && askedAt !== null);
    return isAsked ? 'cancelling' : 'cancelled';
  }
  if (intent === 'voided') return wish === 'capture' ? 'capture_failed' : 'voided';
  if (intent === 'authorised') return authorisedStatus(facts, operations);
  if (hasPendingRefund(operations)) return 'refunding';
  const wanted = wantedOperation(facts);
  if (wanted !== undefined && !isRefused(facts, operations, wanted)) return 'refunding';
  return facts.refundedMinor > 0 && facts.refundedMinor === facts.capturedMinor ? 'refunded' : 'captured';
}

function authorisedStatus(facts: PaymentFacts, operations: readonly Operation[]): PaymentStatus {
  const wanted = wantedOperation(facts);
  if (wanted === undefined) return 'authorised';
  if (wanted.kind === 'void') return 'voiding';
  const refusals = operations.filter(({ kind, status }) => kind === 'capture' && status === 'failed').length;
  if (refusals < facts.attempt) return 'capturing';
  return facts.wish === 'fee' ? 'voiding' : 'capture_failed';
}

function hasPendingRefund(operations: readonly Operation[]): boolean {
  return operations.some(({ kind, status }) => kind === 'refund' && status === 'pending');
}

/**
 * The wish of the order's later step counts. Events of an earlier form have no version: of those a delivery counts, so
 * that no good order is refunded because something came late.
 */
export function isLaterWish(
  facts: Pick<PaymentFacts, 'wish' | 'wishVersion'>,
  wish: Wish,
  version: number | null,
): boolean {
  if (version !== null && facts.wishVersion !== null) return version > facts.wishVersion;
  return facts.wish !== 'capture' && wish !== facts.wish;
}
