/** What the plugin needs of a payment provider. Both calls answer the same however often they are made with one key. */
export interface PaymentProvider {
  readonly name: string;
  /** Reserves the amount. A throw means that the outcome is not known: asking again with the same key is safe. */
  authorise(request: AuthoriseRequest): Promise<Authorisation>;
  /** Gives a reservation back. */
  void(request: VoidRequest): Promise<void>;
}

export interface AuthoriseRequest {
  readonly idempotencyKey: string;
  readonly amountMinor: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly method: string;
  readonly signal: AbortSignal;
}

export interface VoidRequest {
  readonly idempotencyKey: string;
  /** Of the authorisation. */
  readonly reference: string;
  readonly signal: AbortSignal;
}

export type Authorisation =
  | { readonly kind: 'authorised'; readonly reference: string }
  | { readonly kind: 'declined'; readonly reason: string };
