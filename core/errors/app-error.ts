import { errorCodes, type ErrorCode } from './codes.ts';

export interface AppErrorOptions {
  /** Machine-readable facts; they reach logs and, where HTTP sees the error, the client. No secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An operational error: expected to happen, with a stable code. Programmer errors are TypeError, RangeError, assert. */
export class AppError extends Error {
  override readonly name: string = 'AppError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  /** HTTP status of the code. */
  get status(): number {
    return errorCodes[this.code].status;
  }
}

/** What an error of any kind is counted and logged as: one without a code is a fault in a program. */
export const toErrorCode = (error: unknown): ErrorCode => (error instanceof AppError ? error.code : 'INTERNAL');
