import type { Figure } from './figures.ts';
import { ownerOf, ownersOf, type Reading, type Scope } from './reading.ts';

/** Of the whole server: its connections are what there are too few of. */
const readConnections = `select coalesce(state, 'unknown') as state, coalesce(wait_event_type, 'none') as wait,
    count(*)::int as connections
  from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
  group by 1, 2`;

const readLimits = `select current_setting('max_connections')::int as max,
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true), '0')::int as reserved`;

const readTransactions = `select usename as role, application_name like 'returnit %' as "isOurs",
    extract(epoch from clock_timestamp() - min(xact_start))::float8 as "ageSeconds",
    extract(epoch from clock_timestamp() - min(state_change) filter (where state like 'idle in transaction%'))::float8 as "idleSeconds"
  from pg_stat_activity
  where datname = current_database() and backend_type = 'client backend' and xact_start is not null
    and pid <> pg_backend_pid()
  group by 1, 2`;

const readLocks = `select usename as role, application_name like 'returnit %' as "isOurs",
    count(distinct lock.pid)::int as waiting,
    extract(epoch from clock_timestamp() - min(lock.waitstart))::float8 as "ageSeconds"
  from pg_locks lock join pg_stat_activity session on session.pid = lock.pid
  where not lock.granted and session.datname = current_database()
  group by 1, 2`;

interface Session {
  readonly role: string | null;
  readonly isOurs: boolean;
}

/** The largest value of each owner's sessions, and 0 for those without one. */
function byOwner<Row extends Session>(
  rows: readonly Row[],
  scope: Scope,
  valueOf: (row: Row) => number | null,
): readonly Figure[] {
  const values = new Map(ownersOf(scope).map((owner) => [owner, 0]));
  for (const row of rows) {
    const owner = ownerOf(row.role ?? '', scope, row.isOurs);
    values.set(owner, Math.max(values.get(owner) ?? 0, valueOf(row) ?? 0));
  }
  return [...values].map(([plugin, value]) => ({ labels: { plugin }, value }));
}

export const activityReading: Reading = {
  name: 'activity',
  async read(client, figures, scope) {
    const connections = await client.query<{ state: string; wait: string; connections: number }>(readConnections);
    const limits = await client.query<{ max: number; reserved: number }>(readLimits);
    const transactions = await client.query<Session & { ageSeconds: number; idleSeconds: number | null }>(
      readTransactions,
    );
    figures.show(
      'returnit_postgres_connections',
      connections.rows.map(({ state, wait, connections: value }) => ({ labels: { state, wait }, value })),
    );
    const { max = 0, reserved = 0 } = limits.rows[0] ?? {};
    figures.show('returnit_postgres_connections_max', [{ labels: {}, value: max }]);
    figures.show('returnit_postgres_connections_reserved', [{ labels: {}, value: reserved }]);
    figures.show(
      'returnit_postgres_transaction_age_seconds',
      byOwner(transactions.rows, scope, ({ ageSeconds }) => ageSeconds),
    );
    figures.show(
      'returnit_postgres_idle_in_transaction_age_seconds',
      byOwner(transactions.rows, scope, ({ idleSeconds }) => idleSeconds),
    );
  },
};

export const lockReading: Reading = {
  name: 'locks',
  async read(client, figures, scope) {
    const { rows } = await client.query<Session & { waiting: number; ageSeconds: number | null }>(readLocks);
    figures.show(
      'returnit_postgres_locks_waiting',
      byOwner(rows, scope, ({ waiting }) => waiting),
    );
    figures.show(
      'returnit_postgres_lock_wait_age_seconds',
      byOwner(rows, scope, ({ ageSeconds }) => ageSeconds),
    );
  },
};
