import { AppError } from './app-error.ts';
import { errorCodes, type ErrorCode } from './codes.ts';

/** The form in which an error crosses the process boundary: structured clone would drop its name and code. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: WireError;
  /** Only from a plugin to the core, for its log. */
  readonly stack?: string;
}

const causeDepthMax = 4;

/** Any thrown value as an envelope. */
export function toWireError(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { code: 'PLUGIN_FAILED', message: describe(error) };
  const { code, details } = error as { code?: unknown; details?: unknown };
  return {
    code: typeof code === 'string' ? code : 'PLUGIN_FAILED',
    message: error.message,
    ...(typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {}),
    ...(error.cause !== undefined && depth < causeDepthMax ? { cause: toWireError(error.cause, depth + 1) } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

/** Not every value that can be thrown can be made text: `Object.create(null)` cannot. */
function describe(value: unknown): string {
  try {
    return String(value);
  } catch {
    return 'a value without a text form';
  }
}

/** An envelope as an AppError; a code that the core does not know becomes `fallback` and stays in `details.code`. */
export function fromWireError(wire: WireError, fallback: ErrorCode): AppError {
  const known = Object.hasOwn(errorCodes, wire.code);
  return new AppError(known ? (wire.code as ErrorCode) : fallback, wire.message, {
    details: known ? (wire.details ?? {}) : { ...wire.details, code: wire.code },
    ...(wire.cause === undefined ? {} : { cause: fromWireError(wire.cause, fallback) }),
  });
}
