/** Which accounts a fact moves. Debits are above zero, credits below; each posting sums to zero. */
export const accounts = [
  'customer_receivable',
  'provider_clearing',
  'revenue',
  'fees',
  'refunds',
  'disputes',
  'dispute_losses',
  'driver_costs',
  'driver_payable',
  'payouts_under_way',
  'bank',
] as const;
export type Account = (typeof accounts)[number];

export interface Entry {
  readonly account: Account;
  /** Of `driver_payable` the driver. */
  readonly owner?: string;
  readonly amountMinor: number;
}

export interface Posting {
  /** Of the fact: a second posting of it does nothing. */
  readonly reference: string;
  readonly kind: string;
  readonly currency: string;
  readonly entries: readonly Entry[];
}

interface Fact {
  readonly reference: string;
  readonly amountMinor: number;
  readonly currency: string;
}

function move(kind: string, fact: Fact, accounts: { readonly debit: Account; readonly credit: Account }): Posting {
  const { reference, currency, amountMinor } = fact;
  return {
    reference: `${kind}:${reference}`,
    kind,
    currency,
    entries: [
      { account: accounts.debit, amountMinor },
      { account: accounts.credit, amountMinor: -amountMinor },
    ],
  };
}

/** What the provider has collected. `for` says what earned it: a debt was earned before. */
export function postCapture(fact: Fact, earnedBy: 'order' | 'fee' | 'debt'): Posting {
  const credit = { order: 'revenue', fee: 'fees', debt: 'customer_receivable' } as const;
  return move('capture', fact, { debit: 'provider_clearing', credit: credit[earnedBy] });
}

/** A delivered order that could not be paid. */
export const postDebt = (fact: Fact): Posting =>
  move('debt', fact, { debit: 'customer_receivable', credit: 'revenue' });

export const postRefund = (fact: Fact): Posting =>
  move('refund', fact, { debit: 'refunds', credit: 'provider_clearing' });

/** The customer's bank did not take it. */
export const postRefundReturned = (fact: Fact): Posting =>
  move('refund_returned', fact, { debit: 'provider_clearing', credit: 'refunds' });

/** The provider holds disputed money back until it is decided. */
export const postDispute = (fact: Fact): Posting =>
  move('dispute', fact, { debit: 'disputes', credit: 'provider_clearing' });

export const postDisputeWon = (fact: Fact): Posting =>
  move('dispute_won', fact, { debit: 'provider_clearing', credit: 'disputes' });

export const postDisputeLost = (fact: Fact): Posting =>
  move('dispute_lost', fact, { debit: 'dispute_losses', credit: 'disputes' });

export function postShare(fact: Fact, driverId: string): Posting {
  const { reference, currency, amountMinor } = fact;
  return {
    reference: `share:${reference}`,
    kind: 'share',
    currency,
    entries: [
      { account: 'driver_costs', amountMinor },
      { account: 'driver_payable', owner: driverId, amountMinor: -amountMinor },
    ],
  };
}

export const postPayoutPaid = (fact: Fact): Posting =>
  move('payout_paid', fact, { debit: 'payouts_under_way', credit: 'bank' });
