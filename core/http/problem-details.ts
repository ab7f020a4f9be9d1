import { AppError } from '#core/errors/app-error.ts';
import { errorCodes, type ErrorCode } from '#core/errors/codes.ts';
import { problemType } from '#core/errors/problem-type.ts';
import { RequestRefusal } from './request-refusal.ts';

/** RFC 9457. `type` is relative to the API; `code` and `trace_id` are extensions that every problem has. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance?: string;
  readonly code: string;
  readonly trace_id: string;
  readonly [extension: string]: unknown;
}

export interface ProblemPlace {
  /** The request's path, without its query. */
  readonly instance: string;
  readonly traceId: string;
}

/** What the server could not do is told in these words: the message of the error itself is for the log. */
const serverDetails: Partial<Record<ErrorCode, string>> = {
  TIMEOUT: 'The request was not answered in time; whether it took effect is not known',
  OVERLOADED: 'The server has too much to do at once; try again later',
  BUDGET_EXCEEDED: 'The server has too much to do at once; try again later',
  SHUTTING_DOWN: 'The server is shutting down; try again',
  PLUGIN_UNAVAILABLE: 'The part of the server that answers this is restarting; try again later',
  DATABASE_UNREACHABLE: 'The database cannot be reached at the moment; try again later',
  AUTHENTICATION_UNAVAILABLE: 'Tokens cannot be checked at the moment; try again later',
};
const unexpectedDetail = 'The server failed to answer; the log has the reason under this trace id';

/** @param error anything thrown; what is not an AppError is INTERNAL */
export function toProblem(error: unknown, place: ProblemPlace): ProblemDetails {
  const known = error instanceof AppError ? error : undefined;
  const code = known?.code ?? 'INTERNAL';
  const { status, title } = errorCodes[code];
  const refusal = known instanceof RequestRefusal ? known : undefined;
  const detail =
    refusal?.detail ??
    (status < 500 && known !== undefined ? known.message : (serverDetails[code] ?? unexpectedDetail));
  return {
    type: problemType(code),
    title,
    status,
    detail,
    instance: place.instance,
    code,
    trace_id: place.traceId,
    ...(refusal?.errors === undefined ? {} : { errors: refusal.errors }),
  };
}
