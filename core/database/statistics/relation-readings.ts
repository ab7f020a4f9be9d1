import type { Figure } from './figures.ts';
import { schemasOf, type Reading } from './reading.ts';

/** Of the table where it has its own, else of the server; null where the server does not know it. */
const option = (name: string): string =>
  `coalesce((select option_value from pg_options_to_table(relation.reloptions) where option_name = '${name}'), current_setting('${name}', true))::float8`;

// What autovacuum begins at: a threshold and a share of the rows, up to a number of rows, which is Postgres 18's.
const dueAt = `least(${option('autovacuum_vacuum_threshold')}
    + ${option('autovacuum_vacuum_scale_factor')} * greatest(0, relation.reltuples),
  nullif(${option('autovacuum_vacuum_max_threshold')}, -1))`;

// Partitions count with their parent: a name of a partition lives for a day.
const readTables = `with part as (
    select relation.relnamespace, coalesce(pg_partition_root(relation.oid), relation.oid) as root,
      pg_table_size(relation.oid) as bytes, pg_indexes_size(relation.oid) as index_bytes, stat.*,
      stat.n_dead_tup / greatest(1, ${dueAt}) as due
    from pg_class relation
    join pg_namespace schema on schema.oid = relation.relnamespace
    left join pg_stat_all_tables stat on stat.relid = relation.oid
    where relation.relkind in ('r', 'p', 'm') and schema.nspname = any($1)
  ), whole as (
    select root.relnamespace::regnamespace::text as schema, root.relname as "table", sum(bytes)::float8 as bytes,
      sum(bytes + index_bytes)::float8 as total_bytes, coalesce(sum(n_live_tup), 0)::float8 as live,
      coalesce(sum(n_dead_tup), 0)::float8 as dead, coalesce(max(due), 0)::float8 as due,
      extract(epoch from max(last_vacuum))::float8 as vacuum,
      extract(epoch from max(last_autovacuum))::float8 as autovacuum,
      extract(epoch from greatest(max(last_analyze), max(last_autoanalyze)))::float8 as analyze
    from part join pg_class root on root.oid = part.root group by root.oid, root.relnamespace, root.relname
  ), ranked as (
    select *, sum(total_bytes) over (partition by schema) as schema_bytes,
      row_number() over (partition by schema order by bytes desc, "table") as place
    from whole
  )
  select schema, "table", bytes, schema_bytes as "schemaBytes", live, dead, due, vacuum, autovacuum, "analyze"
  from ranked where place <= $2`;

const readIndexes = `with whole as (
    select root.relnamespace::regnamespace::text as schema, base.relname as "table", root.relname as index,
      sum(pg_relation_size(index.indexrelid))::float8 as bytes
    from pg_index index
    join pg_class relation on relation.oid = index.indexrelid
    join pg_namespace schema on schema.oid = relation.relnamespace
    join pg_class root on root.oid = coalesce(pg_partition_root(index.indexrelid), index.indexrelid)
    join pg_class base on base.oid = coalesce(pg_partition_root(index.indrelid), index.indrelid)
    where schema.nspname = any($1)
    group by root.oid, root.relnamespace, root.relname, base.relname
  ), ranked as (
    select *, row_number() over (partition by schema order by bytes desc, index) as place from whole
  )
  select schema, "table", index, bytes from ranked where place <= $2`;

const operations = ['vacuum', 'autovacuum', 'analyze'] as const;

type TableRow = {
  readonly schema: string;
  readonly table: string;
  readonly bytes: number;
  readonly schemaBytes: number;
  readonly live: number;
  readonly dead: number;
  readonly due: number;
} & Readonly<Record<(typeof operations)[number], number | null>>;

export const tableReading: Reading = {
  name: 'tables',
  async read(client, figures, scope) {
    const { rows } = await client.query<TableRow>(readTables, [schemasOf(scope), scope.top]);
    const show = (gauge: string, toFigures: (row: TableRow, labels: Record<string, string>) => readonly Figure[]) =>
      figures.show(
        `returnit_postgres_${gauge}`,
        rows.flatMap((row) => toFigures(row, { schema: row.schema, table: row.table })),
      );
    figures.show(
      'returnit_postgres_schema_size_bytes',
      [...new Map(rows.map((row) => [row.schema, row.schemaBytes]))].map(([schema, value]) => ({
        labels: { schema },
        value,
      })),
    );
    show('table_size_bytes', ({ bytes: value }, labels) => [{ labels, value }]);
    show('table_rows', ({ live, dead }, labels) => [
      { labels: { ...labels, state: 'live' }, value: live },
      { labels: { ...labels, state: 'dead' }, value: dead },
    ]);
    show('table_vacuum_due_ratio', ({ due: value }, labels) => [{ labels, value }]);
    show('table_maintained_timestamp_seconds', (row, labels) =>
      operations.flatMap((operation) => {
        const value = row[operation];
        return value === null ? [] : [{ labels: { ...labels, operation }, value }];
      }),
    );
  },
};

export const indexReading: Reading = {
  name: 'indexes',
  async read(client, figures, scope) {
    const { rows } = await client.query<{ schema: string; table: string; index: string; bytes: number }>(readIndexes, [
      schemasOf(scope),
      scope.top,
    ]);
    figures.show(
      'returnit_postgres_index_size_bytes',
      rows.map(({ bytes: value, ...labels }) => ({ labels, value })),
    );
  },
};
