import type pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';
import { describeRows, toRow, type RowDescription } from './row-description.ts';
import { encodeQuery, type ProtocolConnection } from './query-messages.ts';

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
  /** Of what JSON adds to the values of a row, where nothing is escaped. */
  readonly keysBytes: number;
}

interface DataRow {
  readonly fields: readonly (string | null)[];
}

/** The columns of each statement that is prepared on a connection. They cannot change: Postgres refuses the statement then. */
const descriptions = new WeakMap<ProtocolConnection, Map<string, RowDescription>>();

/**
 * A query that asks the server for one row more than it may return and no further, in the same round trip: where that
 * row comes, the portal is closed by the Sync that is already on its way, and the query fails. So neither side makes or
 * holds more than the limit, without a cursor. Rows beyond the limit of bytes are not kept either.
 *
 * It is one of the query classes that `client.query()` takes (as pg-cursor is): `submit` and `handle…` are called by pg,
 * which reads `name` and `text` to know what is prepared. pg's own Query sends each message as a write of its own and
 * asks for the columns of a prepared statement every time.
 */
class CappedQuery {
  readonly name: string | undefined;
  readonly text: string;
  readonly #options: CappedQueryOptions;
  readonly #client: pg.PoolClient;
  readonly #settle: (error: Error | undefined, result: CappedResult | undefined) => void;
  #connection: ProtocolConnection | undefined;
  #description: RowDescription | undefined;
  #failure: Error | undefined;
  readonly #rows: unknown[] = [];
  #rowsSeen = 0;
  #bytes = 0;
  #command = '';
  #rowCount = 0;

  constructor(
    client: pg.PoolClient,
    options: CappedQueryOptions,
    settle: (error: Error | undefined, result: CappedResult | undefined) => void,
  ) {
    this.name = options.prepared ? options.name : undefined;
    this.text = options.text;
    this.#options = options;
    this.#client = client;
    this.#settle = settle;
  }

  submit(connection: ProtocolConnection): Error | null {
    this.#connection = connection;
    const { name, text } = this;
    const parsed = name === undefined ? undefined : connection.parsedStatements[name];
    if (parsed !== undefined && parsed !== text)
      return new Error(`Prepared statements must be unique - '${name}' was used for a different statement`);
    if (parsed !== undefined && name !== undefined) this.#description = descriptions.get(connection)?.get(name);
    try {
      const message = encodeQuery({
        name,
        text: parsed === undefined ? text : undefined,
        values: this.#options.values,
        describe: this.#description === undefined,
        rowsMax: this.#options.rowsMax + 1,
      });
      if (connection.stream.writable) connection.stream.write(message);
    } catch (error) {
      // A value that cannot be written: nothing was sent.
      return error as Error;
    }
    return null;
  }

  handleRowDescription({ fields }: { readonly fields: readonly pg.FieldDef[] }): void {
    this.#description = describeRows(fields, this.#client);
    if (this.name === undefined || this.#connection === undefined) return;
    descriptions.getOrInsertComputed(this.#connection, () => new Map()).set(this.name, this.#description);
  }

  handleDataRow({ fields }: DataRow): void {
    this.#rowsSeen += 1;
    for (const field of fields) this.#bytes += field?.length ?? 0;
    if (this.#failure !== undefined || this.#rowsSeen > this.#options.rowsMax) return;
    if (this.#bytes > this.#options.bytesMax) {
      this.#refuse(`its result is larger than ${this.#options.bytesMax} bytes`);
      // Up to `rowsMax` more rows of any size are on their way: the connection is given up rather than read to the end.
      this.#connection?.stream.destroy();
      return;
    }
    try {
      this.#rows.push(toRow(this.#description, fields));
    } catch (error) {
      this.#failure = error as Error;
    }
  }

  handlePortalSuspended(): void {
    this.#refuse(`it has more than ${this.#options.rowsMax} rows (DB_ROWS_MAX); use "limit"`);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const [command = '', ...counts] = text.split(' ');
    this.#command = command;
    this.#rowCount = Number(counts.at(-1)) || 0;
    // It returns no rows, and need not be asked again.
    if (this.#description === undefined) this.handleRowDescription({ fields: [] });
  }

  handleEmptyQuery(): void {
    // A statement of comments alone has no result.
  }

  handleCopyInResponse(connection: ProtocolConnection): void {
    connection.sendCopyFail('No source stream defined');
  }

  handleCopyData(): void {
    // What a COPY writes goes nowhere.
  }

  handleError(error: Error): void {
    this.#settle(this.#failure ?? error, undefined);
  }

  handleReadyForQuery(): void {
    this.#settle(this.#failure, {
      rows: this.#rows,
      rowCount: this.#rowCount,
      command: this.#command,
      bytes: this.#bytes,
      keysBytes: this.#description?.keysBytes ?? 0,
    });
  }

  #refuse(reason: string): void {
    this.#failure ??= new AppError(
      'BUDGET_EXCEEDED',
      `Cannot return the result of statement "${this.#options.name}": ${reason}. What it changed is changed, unless its transaction is rolled back`,
      { details: { rowsMax: this.#options.rowsMax, bytesMax: this.#options.bytesMax } },
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
    const query = new CappedQuery(client, options, (error, result) => {
      if (error === undefined && result !== undefined) resolve(result);
      else reject(error ?? new Error('the query ended without a result'));
    });
    client.query(query as unknown as pg.Submittable);
  });
}
