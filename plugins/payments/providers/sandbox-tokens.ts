import type { OperationKind } from '../operation.ts';
import type { DisputeState } from './provider.ts';

/**
 * unavailable: nothing moves, every time. timeout: it moves, and the answer to the first question is lost. error: it
 * moves, and every question with its key is answered by an error. slow: the answer takes its time. fails: refused for sure.
 */
export type Fault = 'unavailable' | 'timeout' | 'error' | 'slow' | 'fails';

/** What the sandbox does with a payment, which its token says. */
export interface Manner {
  /** Why it is declined. */
  readonly decline?: string;
  readonly faults: Partial<Record<OperationKind, Fault>>;
  /** How the dispute ends that follows the capture. */
  readonly dispute?: DisputeState;
  /** Whether webhooks tell of it, before the answer even. */
  readonly webhooks?: 'after' | 'before';
}

const named: Readonly<Record<string, Manner>> = {
  tok_declined: { decline: 'card_declined', faults: {} },
  tok_expired: { decline: 'card_expired', faults: {} },
  tok_insufficient_funds: { decline: 'insufficient_funds', faults: {} },
  tok_unavailable: { faults: { authorise: 'unavailable' } },
  tok_timeout: { faults: { authorise: 'timeout' } },
  tok_error: { faults: { authorise: 'error' } },
  tok_slow: { faults: { authorise: 'slow' } },
  tok_webhook: { faults: {}, webhooks: 'after' },
  tok_webhook_first: { faults: {}, webhooks: 'before' },
  tok_dispute: { faults: {}, dispute: 'opened', webhooks: 'after' },
  tok_dispute_won: { faults: {}, dispute: 'won', webhooks: 'after' },
  tok_dispute_lost: { faults: {}, dispute: 'lost', webhooks: 'after' },
};

/** Those that have a name of their own, for who tries or tests them all. */
export const sandboxTokens: readonly string[] = Object.keys(named);

const oneOperation = /^tok_(capture|void|refund)_(unavailable|timeout|error|slow|fails)$/;

export function mannerOf(token: string): Manner {
  const known = named[token];
  if (known !== undefined) return known;
  const [, kind, fault] = oneOperation.exec(token) ?? [];
  return kind === undefined ? { faults: {} } : { faults: { [kind]: fault as Fault } };
}
