import * as pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';

/** query_canceled: by statement_timeout, or by the core at the call's deadline. */
const queryCanceled = '57014';
/** Data exceptions quote the value at fault. */
const dataException = '22';
const connectionFailure = '08006';
/** The class of connection exceptions; and what a server says that stops, has crashed, or is starting. */
const unreachableState = /^(08|57P0[123]$)/;
/** How pg names the loss of a connection where the operating system reported no error. */
const lostPattern = /^Connection (terminated|ended)|is not queryable$/;

/** Whether a statement failed since the server is away: the same one may succeed once it is back. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof AppError) return error.code === 'DATABASE_UNREACHABLE';
  if (error instanceof pg.DatabaseError) return unreachableState.test(error.code ?? '');
  // `localhost` is several addresses: when none answers, Node reports all of them in one.
  if (error instanceof AggregateError) return error.errors.some(isUnreachable);
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return 'syscall' in error || code?.startsWith('ERR_STREAM_') === true || lostPattern.test(error.message);
}

/**
 * A failed statement as plugins see it: `details.sqlstate` tells them what happened (`23505`: already there), with the
 * constraint and the table. Never Postgres' `detail`, which shows the row, and no quoted value: messages reach logs.
 */
export function toDatabaseError(error: unknown, statement: string): AppError {
  if (error instanceof AppError) return error;
  const isAway = isUnreachable(error);
  if (!(error instanceof pg.DatabaseError)) {
    return new AppError(
      isAway ? 'DATABASE_UNREACHABLE' : 'DATABASE_ERROR',
      `Cannot run statement "${statement}": ${reasonOf(error)}`,
      { details: isAway ? { sqlstate: connectionFailure } : {}, cause: error },
    );
  }
  const { code: sqlstate = 'XX000', constraint, table } = error;
  const message = sqlstate.startsWith(dataException) ? error.message.replaceAll(/"[^"]*"/g, '"…"') : error.message;
  const code = isAway ? 'DATABASE_UNREACHABLE' : 'DATABASE_ERROR';
  return new AppError(
    sqlstate === queryCanceled ? 'TIMEOUT' : code,
    `Cannot run statement "${statement}": ${message}`,
    {
      details: {
        sqlstate,
        ...(constraint === undefined ? {} : { constraint }),
        ...(table === undefined ? {} : { table }),
      },
      // The error itself stays behind: its `detail` and `where` hold rows.
    },
  );
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

/** Label `error_type`: the SQLSTATE's class, or empty. */
export function toErrorType(error: unknown): string {
  if (!(error instanceof AppError)) return '';
  const { sqlstate } = error.details;
  return typeof sqlstate === 'string' ? sqlstate.slice(0, 2) : error.code;
}
