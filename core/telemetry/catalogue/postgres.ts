import { each, type MetricDefinition } from './definition.ts';

interface Shape {
  readonly unit: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly initial?: NonNullable<MetricDefinition['initial']>;
}

function define(type: 'counter' | 'gauge', name: string, { labels = [], ...shape }: Shape): MetricDefinition {
  return { name: `returnit_postgres_${name}`, type, labels, ...shape, owner: 'database' };
}

/** What is read of the server; each reading has a statement or two, and fails by itself. */
export const postgresReadings = [
  'activity',
  'database',
  'locks',
  'replication',
  'tables',
  'indexes',
  'statements',
] as const;

const itself: readonly MetricDefinition[] = [
  define('counter', 'reads_total', {
    unit: 'readings',
    help: "Readings of the server's statistics, by end: ok, error",
    labels: ['reading', 'outcome'],
    initial: postgresReadings.flatMap((reading) =>
      each('outcome', ['ok', 'error']).map((end) => ({ reading, ...end })),
    ),
  }),
  define('counter', 'read_seconds_total', {
    unit: 'seconds',
    help: 'Time that the readings took',
    labels: ['reading'],
    initial: each('reading', postgresReadings),
  }),
  define('gauge', 'last_read_timestamp_seconds', {
    unit: 'seconds',
    help: 'When this node last read them without an error; only the node that holds the lock reads',
  }),
];

const activity: readonly MetricDefinition[] = [
  define('gauge', 'connections', {
    unit: 'connections',
    help: 'Client connections of the server, by state and by what they wait for (`none`, `Lock`, `IO`, `Client`, …)',
    labels: ['state', 'wait'],
  }),
  define('gauge', 'connections_max', { unit: 'connections', help: 'max_connections of the server' }),
  define('gauge', 'connections_reserved', {
    unit: 'connections',
    help: 'Connections of these that only a superuser gets',
  }),
  define('gauge', 'transaction_age_seconds', {
    unit: 'seconds',
    help: "Age of the oldest open transaction, by whose it is: core, a plugin, other (an operator's program); 0 when there is none",
    labels: ['plugin'],
  }),
  define('gauge', 'idle_in_transaction_age_seconds', {
    unit: 'seconds',
    help: 'How long the longest of them that does nothing in its transaction has done so; 0 when there is none',
    labels: ['plugin'],
  }),
  define('gauge', 'locks_waiting', {
    unit: 'connections',
    help: 'Connections that wait for a lock',
    labels: ['plugin'],
  }),
  define('gauge', 'lock_wait_age_seconds', {
    unit: 'seconds',
    help: 'How long the one that waits longest has waited; 0 when there is none',
    labels: ['plugin'],
  }),
];

const database: readonly MetricDefinition[] = [
  define('gauge', 'database_size_bytes', {
    unit: 'bytes',
    help: 'Size of the database on disk',
  }),
  define('counter', 'transactions_total', {
    unit: 'transactions',
    help: 'Transactions of the database, by end (commit, rollback)',
    labels: ['outcome'],
  }),
  define('counter', 'blocks_total', {
    unit: 'blocks',
    help: "Blocks of 8 KiB that were wanted, by where they were: cache (the server's), disk (or the kernel's cache)",
    labels: ['source'],
  }),
  define('counter', 'deadlocks_total', { unit: 'deadlocks', help: 'Deadlocks, each ended by failing a transaction' }),
  define('counter', 'temp_bytes_total', {
    unit: 'bytes',
    help: 'Written to temporary files: sorts and joins that had too little work_mem',
  }),
  define('counter', 'wal_bytes_total', { unit: 'bytes', help: 'Write-ahead log written by the server' }),
  define('gauge', 'transaction_id_age', {
    unit: 'transactions',
    help: 'Age of the oldest id that is not frozen, of all databases, by kind (transaction, multixact); at 2^31 the server stops writing',
    labels: ['kind'],
  }),
  define('gauge', 'replication_lag_bytes', {
    unit: 'bytes',
    help: 'Log that a replica has not replayed; no replica, no series',
    labels: ['replica'],
  }),
  define('gauge', 'replication_lag_seconds', {
    unit: 'seconds',
    help: 'How late a replica last was; 0 when it has all. One that stands still shows in the bytes',
    labels: ['replica'],
  }),
];

const relation = ['schema', 'table'];

/** Of the DB_STATISTICS_TOP largest of each schema; partitions count with their parent. */
const relations: readonly MetricDefinition[] = [
  define('gauge', 'schema_size_bytes', {
    unit: 'bytes',
    help: "Size of a schema's tables with their indexes",
    labels: ['schema'],
  }),
  define('gauge', 'table_size_bytes', {
    unit: 'bytes',
    help: 'Size of a table without its indexes, of the DB_STATISTICS_TOP largest of each schema; partitions count with their parent',
    labels: relation,
  }),
  define('gauge', 'index_size_bytes', {
    unit: 'bytes',
    help: 'Size of an index, of the DB_STATISTICS_TOP largest of each schema; partitions count with their parent',
    labels: [...relation, 'index'],
  }),
  define('gauge', 'table_rows', {
    unit: 'rows',
    help: 'Rows of a table, by state: live, dead (not yet vacuumed); an estimate of the server',
    labels: [...relation, 'state'],
  }),
  define('gauge', 'table_vacuum_due_ratio', {
    unit: 'ratio',
    help: 'Dead rows of what autovacuum begins at; of partitions the worst. Far above 1 it is behind',
    labels: relation,
  }),
  define('gauge', 'table_maintained_timestamp_seconds', {
    unit: 'seconds',
    help: 'When a table was last vacuumed by hand (vacuum), by the server (autovacuum), or analyzed by either (analyze); never, no series',
    labels: [...relation, 'operation'],
  }),
];

const statements: readonly MetricDefinition[] = [
  define('counter', 'statement_calls_total', {
    unit: 'statements',
    help: 'Statements of the database, by whose they are; only where pg_stat_statements is there',
    labels: ['plugin'],
  }),
  define('counter', 'statement_seconds_total', {
    unit: 'seconds',
    help: 'Time that the server took for them',
    labels: ['plugin'],
  }),
  define('counter', 'top_statement_calls_total', {
    unit: 'statements',
    help: 'Of the DB_STATISTICS_TOP statements that have taken most time: how often; query_id is that of pg_stat_statements',
    labels: ['plugin', 'query_id'],
  }),
  define('counter', 'top_statement_seconds_total', {
    unit: 'seconds',
    help: 'Of the DB_STATISTICS_TOP statements that have taken most time: how long',
    labels: ['plugin', 'query_id'],
  }),
];

/** Postgres as it sees itself. Of the whole server or database: read with max, since any node may be the one that reads. */
export const postgresMetrics: readonly MetricDefinition[] = [
  ...itself,
  ...activity,
  ...database,
  ...relations,
  ...statements,
];
