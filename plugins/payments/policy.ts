import type { Settings } from './settings.ts';

export interface Cancellation {
  /** What the order was before; absent in events of an earlier form. */
  readonly from?: string | null | undefined;
  readonly by?: { readonly kind: string; readonly id?: string } | undefined;
  /** Whom the order had. */
  readonly driverId?: string | null | undefined;
}

/** A driver has been given the order: time and way are spent. */
const feeStates: ReadonlySet<string> = new Set(['assigned', 'on_the_way', 'arrived', 'pickup_failed']);
/** Whose own wish it is. What ops and the system cancel is not the customer's fault. */
const feePayers: ReadonlySet<string> = new Set(['customer', 'partner']);

/** Without knowing who cancelled what, nobody is charged; nor is anybody to whom no driver came. */
export function isFeeDue({ from, by, driverId }: Cancellation): boolean {
  if (!feeStates.has(from ?? '') || (driverId ?? null) === null) return false;
  // After a failed pickup, not to choose another time is to cancel: the orders' plugin says so after some days.
  const isAbandoned = from === 'pickup_failed' && by?.kind === 'system' && by.id === 'orders';
  return isAbandoned || feePayers.has(by?.kind ?? '');
}

/** In the smallest unit of the currency, rounded down, and never more than the price. */
export function feeOf(amountMinor: number, fee: Settings['cancellationFee']): number {
  return Math.min(amountMinor, fee.fixedMinor + Math.floor((amountMinor * fee.percent) / 100));
}

export function shareOf(amountMinor: number, percent: number): number {
  return Math.floor((amountMinor * percent) / 100);
}
