import { AppError } from '#core/errors/app-error.ts';

/** Why a transaction is over, and what whoever uses it then is told. */
export interface TransactionEnd {
  /** `TIMEOUT` and `DATABASE_UNREACHABLE` are no fault of who uses it: all of it may be tried again. */
  readonly code: 'INVALID_CALL' | 'TIMEOUT' | 'DATABASE_UNREACHABLE';
  /** Fits after "Cannot use the transaction: ". */
  readonly reason: string;
}

export const connectionLost: TransactionEnd = { code: 'DATABASE_UNREACHABLE', reason: 'its connection was lost' };

/** By a call that makes no sense any more. */
export const endedBy = (reason: string): TransactionEnd => ({ code: 'INVALID_CALL', reason });

export const timedOut = (reason: string): TransactionEnd => ({
  code: 'TIMEOUT',
  reason: `it was rolled back, since ${reason}`,
});

export const toEndError = ({ code, reason }: TransactionEnd): AppError =>
  new AppError(code, `Cannot use the transaction: ${reason}`);
