import type { Intent } from '../payment-state.ts';
import type { ProviderPayment } from '../providers/provider.ts';

export type DifferenceKind = 'missing_here' | 'missing_there' | 'other_amount' | 'other_state';

export interface Difference {
  readonly kind: DifferenceKind;
  /** In words: `captured 590 EUR, 0 refunded`. */
  readonly here: string | null;
  readonly there: string | null;
}

/** What is compared of a payment of ours. */
export interface PaymentHere {
  readonly intent: Intent;
  readonly amountMinor: number;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly currency: string;
}

/** Undefined when both say the same. */
export function compare(here: PaymentHere | undefined, there: ProviderPayment | undefined): Difference | undefined {
  if (here === undefined) return there && { kind: 'missing_here', here: null, there: describe(there) };
  if (there === undefined) return { kind: 'missing_there', here: describeHere(here), there: null };
  const texts = { here: describeHere(here), there: describe(there) };
  if (there.state !== here.intent) return { kind: 'other_state', ...texts };
  const isSame =
    there.amountMinor === here.amountMinor &&
    there.currency === here.currency &&
    there.capturedMinor === here.capturedMinor &&
    (there.refundedMinor ?? here.refundedMinor) === here.refundedMinor;
  return isSame ? undefined : { kind: 'other_amount', ...texts };
}

function describeHere(here: PaymentHere): string {
  return describe({ ...here, state: here.intent });
}

type Described = Pick<ProviderPayment, 'state' | 'amountMinor' | 'capturedMinor' | 'refundedMinor' | 'currency'>;

function describe({ state, amountMinor, capturedMinor, refundedMinor, currency }: Described): string {
  return `${state}, ${amountMinor} ${currency}, ${capturedMinor} captured, ${refundedMinor ?? 0} refunded`;
}
