import * as pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';

/** query_canceled: by statement_timeout, or by the core at the call's deadline. */
const queryCanceled = '57014';
/** Data exceptions quote the value at fault. */
const dataException = '22';
const connectionFailure = '08006';

/**
 * A failed statement as plugins see it: `details.sqlstate` tells them what happened (`23505`: already there), with the
 * constraint and the table. Never Postgres' `detail`, which shows the row, and no quoted value: messages reach logs.
 */
export function toDatabaseError(error: unknown, statement: string): AppError {
  if (error instanceof AppError) return error;
  if (!(error instanceof pg.DatabaseError)) {
    const reason = error instanceof Error ? error.message : String(error);
    return new AppError('DATABASE_ERROR', `Cannot run statement "${statement}": ${reason}`, {
      details: { sqlstate: connectionFailure },
      cause: error,
    });
  }
  const { code: sqlstate = 'XX000', constraint, table } = error;
  const message = sqlstate.startsWith(dataException) ? error.message.replaceAll(/"[^"]*"/g, '"…"') : error.message;
  return new AppError(
    sqlstate === queryCanceled ? 'TIMEOUT' : 'DATABASE_ERROR',
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

/** Label `error_type`: the SQLSTATE's class, or empty. */
export function toErrorType(error: unknown): string {
  if (!(error instanceof AppError)) return '';
  const { sqlstate } = error.details;
  return typeof sqlstate === 'string' ? sqlstate.slice(0, 2) : error.code;
}
