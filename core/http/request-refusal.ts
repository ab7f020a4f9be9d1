import { AppError, type AppErrorOptions } from '#core/errors/app-error.ts';
import type { ErrorCode } from '#core/errors/codes.ts';
import type { FieldError } from './field-error.ts';

export interface RefusalOptions extends AppErrorOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly errors?: readonly (FieldError & { readonly in: 'path' | 'query' | 'body' })[];
  /** What the client is told instead of the message. */
  readonly detail?: string;
}

/** An answer that is an error: an AppError that knows its headers and what the client may read. */
export class RequestRefusal extends AppError {
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: RefusalOptions['errors'];
  readonly detail: string | undefined;

  constructor(code: ErrorCode, message: string, options: RefusalOptions = {}) {
    super(code, message, options);
    this.headers = options.headers ?? {};
    this.errors = options.errors;
    this.detail = options.detail;
  }
}
