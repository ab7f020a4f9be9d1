import type { Reading } from './reading.ts';

const readDatabase = `select xact_commit::float8 as commits, xact_rollback::float8 as rollbacks, blks_hit::float8 as hits,
    blks_read::float8 as reads, deadlocks::float8 as deadlocks, temp_bytes::float8 as "tempBytes",
    pg_database_size(datid)::float8 as "sizeBytes", (select wal_bytes::float8 from pg_stat_wal) as "walBytes"
  from pg_stat_database where datname = current_database()`;

const readAges = `select max(age(datfrozenxid))::float8 as transaction, max(mxid_age(datminmxid))::float8 as multixact
  from pg_database`;

interface DatabaseRow {
  readonly commits: number;
  readonly rollbacks: number;
  readonly hits: number;
  readonly reads: number;
  readonly deadlocks: number;
  readonly tempBytes: number;
  readonly sizeBytes: number;
  readonly walBytes: number;
}

export const databaseReading: Reading = {
  name: 'database',
  async read(client, figures) {
    const { rows } = await client.query<DatabaseRow>(readDatabase);
    const ages = await client.query<{ transaction: number; multixact: number }>(readAges);
    const [row, age] = [rows[0], ages.rows[0]];
    if (row === undefined || age === undefined) throw new Error('the server says nothing of its own database');
    const one = (value: number, labels = {}) => [{ labels, value }];
    const follow = (counter: string, value: number, labels = {}): void =>
      figures.follow(`returnit_postgres_${counter}`, one(value, labels), 'reset');
    follow('transactions_total', row.commits, { outcome: 'commit' });
    follow('transactions_total', row.rollbacks, { outcome: 'rollback' });
    follow('blocks_total', row.hits, { source: 'cache' });
    follow('blocks_total', row.reads, { source: 'disk' });
    follow('deadlocks_total', row.deadlocks);
    follow('temp_bytes_total', row.tempBytes);
    follow('wal_bytes_total', row.walBytes);
    figures.show('returnit_postgres_database_size_bytes', one(row.sizeBytes));
    figures.show('returnit_postgres_transaction_id_age', [
      ...one(age.transaction, { kind: 'transaction' }),
      ...one(age.multixact, { kind: 'multixact' }),
    ]);
  },
};

/** An operator gives replicas their names (`application_name`): more than a few of them are no replicas. */
const replicasMax = 10;

// A replica that has all it was sent reports no lag; one that has not reported yet is as far behind as its log.
const readReplicas = `select application_name as replica,
    max(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, replay_lsn))::float8 as bytes,
    max(coalesce(extract(epoch from replay_lag), 0))::float8 as seconds
  from pg_stat_replication where state in ('catchup', 'streaming') and replay_lsn is not null
  group by 1 order by 1 limit ${replicasMax}`;

export const replicationReading: Reading = {
  name: 'replication',
  async read(client, figures) {
    const { rows } = await client.query<{ replica: string; bytes: number; seconds: number }>(readReplicas);
    const replicas = rows.map(({ replica, ...lag }) => ({ labels: { replica }, ...lag }));
    figures.show(
      'returnit_postgres_replication_lag_bytes',
      replicas.map(({ labels, bytes }) => ({ labels, value: Math.max(0, bytes) })),
    );
    figures.show(
      'returnit_postgres_replication_lag_seconds',
      replicas.map(({ labels, seconds }) => ({ labels, value: Math.max(0, seconds) })),
    );
  },
};
