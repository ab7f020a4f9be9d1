import { quoteIdentifier } from '../identifiers.ts';
import type { Figure } from './figures.ts';
import { ownerOf, type Reading } from './reading.ts';

/** Where the extension is; its setting exists only where the server has loaded its library. */
const findExtension = `select schema.nspname as schema
  from pg_extension extension join pg_namespace schema on schema.oid = extension.extnamespace
  where extension.extname = 'pg_stat_statements' and current_setting('pg_stat_statements.max', true) is not null`;

// Without the texts, which may hold what nobody outside the database should see.
const ofDatabase = (schema: string): string => `from ${quoteIdentifier(schema)}.pg_stat_statements(false) statement
  join pg_roles role on role.oid = statement.userid
  where statement.dbid = (select oid from pg_database where datname = current_database())`;

interface StatementRow {
  readonly role: string;
  readonly calls: number;
  readonly seconds: number;
}

const sums = 'sum(calls)::float8 as calls, (sum(total_exec_time) / 1000)::float8 as seconds';

export const statementReading: Reading = {
  name: 'statements',
  async read(client, figures, scope) {
    const found = await client.query<{ schema: string }>(findExtension);
    const schema = found.rows[0]?.schema;
    if (schema === undefined) return;
    const all = await client.query<StatementRow>(
      `select role.rolname as role, ${sums} ${ofDatabase(schema)} group by 1`,
    );
    const top = await client.query<StatementRow & { queryId: string }>(
      `select role.rolname as role, queryid::text as "queryId", ${sums} ${ofDatabase(schema)} and queryid is not null
        group by 1, 2 order by seconds desc limit $1`,
      [scope.top],
    );
    const owned = (row: StatementRow) => ({ plugin: ownerOf(row.role, scope) });
    for (const total of ['calls', 'seconds'] as const) {
      // The server forgets the rarest when it has too many: the sum falls, and nothing was reset.
      figures.follow(
        `returnit_postgres_statement_${total}_total`,
        addUp(all.rows.map((row) => ({ labels: owned(row), value: row[total] }))),
        'loss',
      );
      figures.followOnly(
        `returnit_postgres_top_statement_${total}_total`,
        addUp(top.rows.map((row) => ({ labels: { ...owned(row), query_id: row.queryId }, value: row[total] }))),
        'reset',
      );
    }
  },
};

/** Several roles may be one owner's. */
function addUp(parts: readonly Figure[]): readonly Figure[] {
  const figures = new Map<string, Figure>();
  for (const { labels, value } of parts) {
    const key = Object.values(labels).join(' ');
    figures.set(key, { labels, value: (figures.get(key)?.value ?? 0) + value });
  }
  return [...figures.values()];
}
