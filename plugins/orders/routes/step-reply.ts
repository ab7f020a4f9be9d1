import type { HttpReply } from '#plugin-api';
import { refuse } from '../errors.ts';
import type { Outcome } from '../progress.ts';
import { notFound, replyWith } from './parts.ts';

/** What became of a step, as an answer. */
export function toReply(outcome: Outcome, orderId: string): HttpReply {
  switch (outcome.kind) {
    case 'missing':
      return notFound(orderId);
    case 'stale':
      return refuse('ORDER_CHANGED', `The order is not as If-Match says: its version is ${outcome.version}`, {
        version: outcome.version,
      });
    case 'refused':
      return refuse(outcome.code, outcome.detail, outcome.extensions);
    default:
      return replyWith(outcome.stored);
  }
}
