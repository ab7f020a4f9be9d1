import { createHash } from 'node:crypto';
import type { PaymentProvider } from './provider.ts';

/** More than this is declined, so that a decline can be had without a special token. */
export const sandboxLimitMinor = 500_000;

/** The outcome is decided by the token, then by the amount; the reference by the key alone. No money, no state. */
export const sandboxProvider: PaymentProvider = {
  name: 'sandbox',
  authorise({ idempotencyKey, amountMinor, method }) {
    if (method === 'tok_unavailable')
      return Promise.reject(new Error('Cannot reach the sandbox provider: asked to fail'));
    if (method === 'tok_declined') return Promise.resolve({ kind: 'declined', reason: 'card_declined' });
    if (method === 'tok_expired') return Promise.resolve({ kind: 'declined', reason: 'card_expired' });
    if (amountMinor > sandboxLimitMinor) return Promise.resolve({ kind: 'declined', reason: 'amount_over_limit' });
    const digest = createHash('sha256').update(idempotencyKey).digest('hex');
    return Promise.resolve({ kind: 'authorised', reference: `sandbox_${digest.slice(0, 24)}` });
  },
  void() {
    return Promise.resolve();
  },
};
