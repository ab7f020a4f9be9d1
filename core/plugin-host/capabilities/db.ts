import { Type } from 'typebox';
import type pg from 'pg';
import type { QueryCacheOptions, SqlValue, Statement } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { acquireConnection } from '#core/database/acquire-connection.ts';
import { runCapped, type CappedResult } from '#core/database/capped-query.ts';
import { endConnection } from '#core/database/connection-end.ts';
import { isUnreachable, toDatabaseError, toErrorType } from '#core/database/database-error.ts';
import type { Database } from '#core/database/database.ts';
import type { Transactions } from '#core/database/transactions.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { method, type Call, type Capability } from '../capability.ts';
import { cacheProperties, keyFieldPattern } from './cache-arguments.ts';
import { queryCached, toResult, type QueryCache } from './query-cache.ts';
import { createStatementNames, type KnownStatement } from './statement-names.ts';

const Tx = Type.String({ minLength: 1, maxLength: 100 });
const TxArgs = Type.Object({ tx: Tx }, { additionalProperties: false });
const NoArgs = Type.Object({}, { additionalProperties: false });
const QueryArgs = Type.Object(
  {
    statement: Type.Object(
      {
        name: Type.String({ pattern: '^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$', maxLength: 63 }),
        text: Type.String({ minLength: 1, maxLength: 100_000 }),
      },
      { additionalProperties: false },
    ),
    values: Type.Array(Type.Unknown(), { maxItems: 65_535 }),
    tx: Type.Optional(Tx),
    cache: Type.Optional(
      Type.Object(
        {
          ...cacheProperties,
          keyedBy: Type.Optional(
            Type.Unsafe<Record<string, string>>({
              type: 'object',
              propertyNames: { pattern: keyFieldPattern },
              additionalProperties: { type: 'string', maxLength: 200 },
              maxProperties: 1,
            }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

interface QueryInput {
  readonly statement: Statement;
  readonly values: readonly SqlValue[];
  readonly tx?: string;
  readonly cache?: QueryCacheOptions;
}

/** Of the frame that carries the result, for what is not the result. */
const frameReserveBytes = 1024;
/** JSON writes a byte of text as six at most (`\u0000`). */
const escapeFactorMax = 6;

export interface DbCapabilityOptions {
  readonly database: Database;
  readonly transactions: Transactions;
  readonly telemetry: Telemetry;
  readonly config: Pick<Config, 'dbRowsMax' | 'pluginFrameMaxBytes'>;
  readonly queryCache: QueryCache;
}

/** A plugin's own schema, as its own role: Postgres decides what it may reach, so there is no permission to ask for. */
export function createDbCapability(options: DbCapabilityOptions): Capability {
  const { transactions } = options;
  const names = createStatementNames();
  const runStatement = createStatementRunner(options);
  return {
    name: 'db',
    methods: {
      query: method<QueryInput>({
        args: QueryArgs,
        async run({ statement, values, tx, cache }, call) {
          const known = names.admit(call.instance.plugin.name, statement);
          const run = (): Promise<CappedResult> => runStatement({ statement: known, values, tx }, call);
          if (cache === undefined) return toResult(await run());
          if (tx !== undefined) {
            throw new AppError(
              'INVALID_CALL',
              `Cannot keep the result of "${known.name}": it is read in a transaction`,
            );
          }
          return queryCached(options.queryCache, { plugin: call.instance.plugin.name, statement, values, cache }, run);
        },
      }),
      begin: method<Record<string, never>>({
        args: NoArgs,
        run: async (_, { instance, signal }) => ({ tx: await transactions.begin(instance, { signal }) }),
      }),
      commit: method<{ tx: string }>({
        args: TxArgs,
        async run({ tx }, { instance }) {
          await transactions.commit(instance, tx);
          return null;
        },
      }),
      rollback: method<{ tx: string }>({
        args: TxArgs,
        async run({ tx }, { instance }) {
          await transactions.rollback(instance, tx);
          return null;
        },
      }),
    },
  };
}

interface StatementRun {
  readonly statement: KnownStatement;
  readonly values: readonly unknown[];
  readonly tx: string | undefined;
}

function createStatementRunner(options: DbCapabilityOptions): (run: StatementRun, call: Call) => Promise<CappedResult> {
  const { database, transactions, telemetry, config } = options;
  const duration = telemetry.metrics.histogram('db_client_operation_duration_seconds');
  const bytesMax = config.pluginFrameMaxBytes - frameReserveBytes;

  return async function run({ statement, values, tx }, { instance, signal, span }) {
    const plugin = instance.plugin.name;
    span.setAttributes({
      'db.system.name': 'postgresql',
      'db.namespace': plugin,
      'db.operation.name': statement.operation,
      'db.query.summary': statement.name,
    });
    let startedAt = performance.now();
    let errorType = '';
    const query = async (client: pg.PoolClient): Promise<CappedResult> => {
      // From here: waiting for the connection has a metric of its own.
      startedAt = performance.now();
      const { name, text, named } = statement;
      const result = await runCapped(client, {
        name,
        text,
        values,
        prepared: named,
        rowsMax: config.dbRowsMax,
        bytesMax,
      });
      assertFits(statement.name, result, bytesMax);
      return result;
    };
    try {
      if (tx !== undefined) return await transactions.use(instance, tx, query, { signal });
      return await runOutside({ database, telemetry, plugin, signal }, query);
    } catch (error) {
      const mapped =
        signal.aborted && signal.reason instanceof AppError ? signal.reason : toDatabaseError(error, statement.name);
      errorType = toErrorType(mapped);
      throw mapped;
    } finally {
      const labels = errorType === '' ? statement.labels : { ...statement.labels, error_type: errorType };
      duration.observe(labels, (performance.now() - startedAt) / 1000);
    }
  };
}

/** On a connection for this statement alone. It goes back to the pool only when the server says that it is in no transaction. */
async function runOutside(
  options: {
    readonly database: Database;
    readonly telemetry: Telemetry;
    readonly plugin: string;
    readonly signal: AbortSignal;
  },
  query: (client: pg.PoolClient) => Promise<CappedResult>,
): Promise<CappedResult> {
  const { database, telemetry, plugin, signal } = options;
  const client = await acquireConnection(database.pluginPool(plugin), signal);
  let ended: Promise<void> | undefined;
  const abort = (): void => {
    ended = endConnection(client, { admin: database.admin, telemetry });
  };
  signal.addEventListener('abort', abort, { once: true });
  let isLost = false;
  try {
    return await query(client);
  } catch (error) {
    isLost = isUnreachable(error);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    // Of a connection that is lost, pg knows an old status, and the pool would give it to the next statement.
    if (ended === undefined) client.release(isLost || client.getTransactionStatus() !== 'I');
    else await ended;
  }
}

/** The frame's limit holds for the JSON; it is written only where what Postgres sent leaves a doubt. */
function assertFits(name: string, { rows, bytes, keysBytes }: CappedResult, bytesMax: number): void {
  if ((bytes + rows.length * keysBytes) * escapeFactorMax <= bytesMax) return;
  const size = Buffer.byteLength(JSON.stringify(rows));
  if (size <= bytesMax) return;
  throw new AppError(
    'BUDGET_EXCEEDED',
    `Cannot return the result of statement "${name}": it is ${size} bytes, the limit is ${bytesMax}`,
    {
      details: { bytes: size, bytesMax },
    },
  );
}
