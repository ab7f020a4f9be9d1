import type { RowDefinition } from './panel.ts';
import { nodes, rate, same } from './promql.ts';

const postgres = 'returnit_postgres';
const ofServer = (gauge: string, by = ''): string => same(`${postgres}_${gauge}`, by);
const rateOf = (counter: string, by: string): string => rate(`${postgres}_${counter}`, by);

/** Read by one node for all: whichever it is, the newest counts. */
export const databaseServer: RowDefinition = {
  title: 'What Postgres says of itself',
  panels: [
    {
      id: 13,
      title: 'Connections of the server',
      question: 'What do connections do and wait for, and how many may there be?',
      unit: 'short',
      queries: [
        { expr: ofServer('connections', 'state, wait'), legend: '{{state}} {{wait}}' },
        { expr: ofServer('connections_max'), legend: 'at most' },
      ],
      min: 0,
    },
    {
      id: 14,
      title: 'Oldest transaction',
      question: 'Does somebody keep a transaction open? It holds locks, and nothing newer can be vacuumed.',
      unit: 's',
      queries: [
        { expr: ofServer('transaction_age_seconds', 'plugin'), legend: '{{plugin}} open' },
        { expr: ofServer('idle_in_transaction_age_seconds', 'plugin'), legend: '{{plugin}} idle' },
      ],
      min: 0,
    },
    {
      id: 15,
      title: 'Waiting for locks',
      question: 'Who waits for whom, and for how long?',
      unit: 's',
      queries: [{ expr: ofServer('lock_wait_age_seconds', 'plugin'), legend: '{{plugin}}' }],
      min: 0,
    },
    {
      id: 16,
      title: 'Size by plugin',
      question: 'What grows on the disk?',
      unit: 'bytes',
      kind: 'stacked',
      queries: [{ expr: ofServer('schema_size_bytes', 'schema'), legend: '{{schema}}' }],
      min: 0,
    },
    {
      id: 17,
      title: 'Vacuum due',
      question: 'Is autovacuum behind? It begins at 1; far above, dead rows pile up.',
      unit: 'short',
      queries: [
        { expr: `topk(8, ${ofServer('table_vacuum_due_ratio', 'schema, table')})`, legend: '{{schema}}.{{table}}' },
      ],
      min: 0,
    },
    {
      id: 18,
      title: 'Found in the cache',
      question: 'Does what is read fit into the memory of the server?',
      unit: 'percentunit',
      queries: [
        {
          expr: `sum(rate(${postgres}_blocks_total{${nodes},source="cache"}[$__rate_interval])) / (sum(rate(${postgres}_blocks_total{${nodes}}[$__rate_interval])) > 0)`,
          legend: 'cache',
        },
      ],
      max: 1,
    },
    {
      id: 19,
      title: 'Written',
      question: 'How much goes to the write-ahead log, and how much to temporary files for want of work_mem?',
      unit: 'Bps',
      queries: [
        { expr: `sum(rate(${postgres}_wal_bytes_total{${nodes}}[$__rate_interval]))`, legend: 'log' },
        { expr: `sum(rate(${postgres}_temp_bytes_total{${nodes}}[$__rate_interval]))`, legend: 'temporary' },
      ],
      min: 0,
    },
    {
      id: 20,
      title: 'Replicas behind',
      question: 'What would be lost if a replica took over now?',
      unit: 'bytes',
      queries: [{ expr: ofServer('replication_lag_bytes', 'replica'), legend: '{{replica}}' }],
      min: 0,
    },
    {
      id: 21,
      title: 'Readings by end',
      question: 'Is all this read? One that only fails is not shown above.',
      unit: 'ops',
      queries: [{ expr: rateOf('reads_total', 'reading, outcome'), legend: '{{reading}} {{outcome}}' }],
      min: 0,
      alerts: ['StatisticsFailing'],
    },
  ],
};
