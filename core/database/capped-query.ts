import type { Duplex } from 'node:stream';
import * as pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';

export interface CappedQueryOptions {
  /** For messages, and the server-side name where `prepared`. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
  readonly prepared: boolean;
  readonly rowsMax: number;
  readonly bytesMax: number;
}

export interface CappedResult {
  readonly rows: readonly unknown[];
  readonly rowCount: number;
  /** `SELECT`, `INSERT`. */
  readonly command: string;
  /** Of the values as Postgres sent them. */
  readonly bytes: number;
}

/** What pg's Query calls and is called by, and its types do not tell. */
interface ProtocolConnection {
  execute(options: { portal: string; rows: number }): void;
  sync(): void;
}
interface QueryInternals {
  portal: string;
  _canceledDueToError: Error | false;
}
interface DataRow {
  readonly fields: readonly (string | Buffer | null)[];
}

/**
 * A query that asks the server for one row more than it may return and no further, in the same round trip: where that
 * row comes, the portal is closed by the Sync that is already on its way, and the query fails. So neither side makes or
 * holds more than the limit, without a cursor. Rows beyond the limit of bytes are not kept either.
 */
class CappedQuery extends pg.Query {
  readonly #limits: CappedQueryOptions;
  readonly #giveUp: () => void;
  #rows = 0;
  bytes = 0;

  constructor(
    limits: CappedQueryOptions & { readonly giveUp: () => void },
    callback: (error: Error | undefined, result: pg.QueryResult) => void,
  ) {
    super(
      {
        text: limits.text,
        values: [...limits.values],
        queryMode: 'extended',
        ...(limits.prepared ? { name: limits.name } : {}),
      } as pg.QueryConfig,
      callback as never,
    );
    this.#limits = limits;
    this.#giveUp = limits.giveUp;
  }

  // eslint-disable-next-line no-underscore-dangle -- pg's name
  _getRows(connection: ProtocolConnection): void {
    connection.execute({ portal: (this as unknown as QueryInternals).portal, rows: this.#limits.rowsMax + 1 });
    connection.sync();
  }

  handlePortalSuspended(): void {
    this.#refuse(`it has more than ${this.#limits.rowsMax} rows (DB_ROWS_MAX); use "limit"`);
  }

  handleDataRow(message: DataRow): void {
    this.#rows += 1;
    for (const field of message.fields) this.bytes += field?.length ?? 0;
    if (this.#rows > this.#limits.rowsMax) return;
    if (this.bytes > this.#limits.bytesMax) {
      this.#refuse(`its result is larger than ${this.#limits.bytesMax} bytes`);
      // Up to `rowsMax` more rows of any size are on their way: the connection is given up rather than read to the end.
      this.#giveUp();
      return;
    }
    (pg.Query.prototype as unknown as { handleDataRow(message: DataRow): void }).handleDataRow.call(this, message);
  }

  #refuse(reason: string): void {
    (this as unknown as QueryInternals)._canceledDueToError ||= new AppError(
      'BUDGET_EXCEEDED',
      `Cannot return the result of statement "${this.#limits.name}": ${reason}. What it changed is changed, unless its transaction is rolled back`,
      { details: { rowsMax: this.#limits.rowsMax, bytesMax: this.#limits.bytesMax } },
    );
  }
}

/**
 * Runs one statement by the extended protocol, which takes one statement at a time.
 *
 * @throws {AppError} BUDGET_EXCEEDED; Postgres' own error otherwise
 */
export function runCapped(client: pg.PoolClient, options: CappedQueryOptions): Promise<CappedResult> {
  return new Promise((resolve, reject) => {
    const { stream } = (client as unknown as { readonly connection: { readonly stream: Duplex } }).connection;
    const query = new CappedQuery({ ...options, giveUp: () => stream.destroy() }, (error, result) => {
      if (error !== null && error !== undefined) reject(error);
      else resolve({ rows: result.rows, rowCount: result.rowCount ?? 0, command: result.command, bytes: query.bytes });
    });
    client.query(query);
  });
}
