/** What happens to a platform while orders take a step. */
import { endPostgres, killCore, killPlugin, type RigFault } from '../ingest/faults.ts';
import type { Asked } from './steps.ts';

export interface OrderFault {
  /** Resolves when it was done; recovering is the platform's part. */
  readonly strike: RigFault;
  /** What the provider does with the question that a step makes it be asked. @default it answers */
  readonly answer?: ProviderAnswer;
}

/** timeout: it does what is asked, and the answer is lost. error: so too, and each question is answered 500. slow: later. */
export type ProviderAnswer = 'timeout' | 'error' | 'slow';

const nothingElse: RigFault = () => Promise.resolve();

/** All of the platform is away for a while. */
export const restarts: Readonly<Record<string, OrderFault>> = {
  'kill -9 of the core': { strike: killCore },
  'fast restart of Postgres': { strike: endPostgres('SIGINT') },
  'immediate restart of Postgres': { strike: endPostgres('SIGQUIT') },
};

/** A part of it is, or the payment provider keeps its answer. */
export const partFailures: Readonly<Record<string, OrderFault>> = {
  'kill -9 of orders': { strike: killPlugin('orders') },
  'kill -9 of payments': { strike: killPlugin('payments') },
  'kill -9 of drivers': { strike: killPlugin('drivers') },
  'kill -9 of notifications': { strike: killPlugin('notifications') },
  "loss of the provider's answer": { strike: nothingElse, answer: 'timeout' },
  "error in the provider's answer": { strike: nothingElse, answer: 'error' },
  'kill -9 of payments before the provider answers': { strike: killPlugin('payments'), answer: 'slow' },
};

/** The embedded provider does what a booking's token says, at the one question that it names. */
export function tokenFor(asked: Asked, answer: ProviderAnswer): string {
  return asked === 'authorise' ? `tok_${answer}` : `tok_${asked}_${answer}`;
}
