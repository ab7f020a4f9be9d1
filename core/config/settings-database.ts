import { integer } from './setting.ts';

/** Connections and statements, and what is asked of the server itself. */
export const databaseSettings = {
  dbPoolMax: integer('DB_POOL_MAX', 50, {
    description: 'Connections of this process, divided among the core and the plugins',
    min: 10,
    max: 1000,
  }),
  dbPoolMin: integer('DB_POOL_MIN', 5, { description: 'Connections opened at start and kept', max: 1000 }),
  dbIdleTimeoutMs: integer('DB_IDLE_TIMEOUT_MS', 60_000, {
    description: 'An idle connection above the minimum is closed after this',
  }),
  dbAcquireTimeoutMs: integer('DB_ACQUIRE_TIMEOUT_MS', 120_000, {
    description: 'Longest wait for a connection',
    min: 1,
  }),
  dbStatementTimeoutMs: integer('DB_STATEMENT_TIMEOUT_MS', 30_000, {
    description: 'Longest statement of a plugin',
    min: 1,
  }),
  dbTransactionTimeoutMs: integer('DB_TRANSACTION_TIMEOUT_MS', 30_000, {
    description: 'Longest transaction of a plugin',
    min: 1,
  }),
  dbHealthIntervalMs: integer('DB_HEALTH_INTERVAL_MS', 2000, {
    description: 'How often the database is asked whether it answers, and the longest that may take',
    min: 10,
    max: 60_000,
  }),
  dbRowsMax: integer('DB_ROWS_MAX', 10_000, { description: 'Rows that one query of a plugin may return', min: 1 }),
  dbStatisticsIntervalMs: integer('DB_STATISTICS_INTERVAL_MS', 15_000, {
    description: 'How often one of the nodes reads what Postgres says of itself; 0 is never',
    max: 3_600_000,
  }),
  dbStatisticsTop: integer('DB_STATISTICS_TOP', 10, {
    description: 'Tables and indexes of each schema, and statements, that have series of their own: the largest',
    min: 1,
    max: 50,
  }),
} as const;
