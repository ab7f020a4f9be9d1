import { thresholds as t } from '#core/config/thresholds.ts';
import { databaseServer } from './database-server.ts';
import type { DashboardDefinition } from './panel.ts';
import { allNodes, nodes, plugins, quantile, rate } from './promql.ts';

const statements = 'db_client_operation_duration_seconds';
const pool = 'db_client_connection_pool_name';

/** The pools and what goes through them. */
export const database: DashboardDefinition = {
  uid: 'returnit-database',
  title: 'ReturnIt / Database and pool',
  description: 'Whether the database answers, how long statements take, whether connections are left.',
  rows: [
    {
      title: 'Pool',
      panels: [
        {
          id: 1,
          title: 'Database answers',
          question: 'Does each node reach the database?',
          unit: 'bool_yes_no',
          kind: 'number',
          queries: [{ expr: `min(returnit_db_up{${nodes}})`, legend: 'all nodes' }],
          limits: { critical: 1, below: true },
          width: 4,
          alerts: ['DatabaseDown'],
        },
        {
          id: 2,
          title: 'Connections in use',
          question: 'How full are the pools? At 1 everybody else waits.',
          unit: 'percentunit',
          queries: [
            {
              expr: `max by (${pool}) (instance:db_client_connections:utilization_ratio{${nodes}})`,
              legend: `{{${pool}}}`,
            },
          ],
          limits: { warning: t.pool.value, critical: 1 },
          min: 0,
          width: 10,
          alerts: ['PoolSaturated', 'PoolExhausted'],
        },
        {
          id: 3,
          title: 'Waiting for a connection, p95',
          question: 'Do callers wait for a connection? This rises before anything times out.',
          unit: 's',
          queries: [
            { expr: quantile(0.95, 'db_client_connection_wait_time_seconds', { by: pool }), legend: `{{${pool}}}` },
          ],
          limits: { warning: t.poolWait.value },
          min: 0,
          width: 10,
          alerts: ['PoolWaiting'],
        },
        {
          id: 4,
          title: 'Callers that wait',
          question: 'How many wait at this moment, and how many gave up?',
          unit: 'short',
          queries: [
            {
              expr: `sum by (${pool}) (db_client_connection_pending_requests{${nodes}})`,
              legend: `{{${pool}}} waiting`,
            },
            {
              expr: `sum by (${pool}) (increase(db_client_connection_timeouts_total{${nodes}}[5m]))`,
              legend: `{{${pool}}} gave up in 5 min`,
            },
          ],
          min: 0,
        },
        {
          id: 5,
          title: 'Connections',
          question: 'How many connections are open, and what are they doing?',
          unit: 'short',
          kind: 'stacked',
          queries: [
            {
              expr: `sum by (${pool}, db_client_connection_state) (db_client_connections{${nodes}})`,
              legend: `{{${pool}}} {{db_client_connection_state}}`,
            },
          ],
        },
        {
          id: 6,
          title: 'A connection is held, p95',
          question: 'How long is a connection kept? Long use, not many callers, is what empties a pool.',
          unit: 's',
          queries: [
            { expr: quantile(0.95, 'db_client_connection_use_time_seconds', { by: pool }), legend: `{{${pool}}}` },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Statements',
      panels: [
        {
          id: 7,
          title: 'Mean duration by plugin',
          question: "How long do a plugin's statements take on average? The line is the guide's threshold.",
          unit: 's',
          queries: [
            {
              expr: `plugin:db_client_operation_duration_seconds:mean5m{${allNodes},plugin=~"$plugin"}`,
              legend: '{{plugin}}',
            },
          ],
          limits: { warning: t.queryMean.value },
          min: 0,
          alerts: ['QueriesSlow'],
        },
        {
          id: 22,
          title: 'Tail by plugin, p99',
          question: 'How long does one in a hundred statements of a plugin take? The mean does not show it.',
          unit: 's',
          queries: [{ expr: quantile(0.99, statements, { by: 'plugin', matchers: plugins }), legend: '{{plugin}}' }],
          limits: { warning: t.queryTail.value },
          min: 0,
          alerts: ['QueriesTailSlow'],
        },
        {
          id: 8,
          title: 'Slowest statements, p95',
          question: 'Which statements are slow?',
          unit: 's',
          queries: [
            {
              expr: `topk(8, ${quantile(0.95, statements, { by: 'plugin, db_query_summary', matchers: plugins })})`,
              legend: '{{plugin}} {{db_query_summary}}',
            },
          ],
          min: 0,
        },
        {
          id: 9,
          title: 'Time spent by statement',
          question: 'Where does the database’s time go? Seconds of work a second: 1 is one connection always busy.',
          unit: 'short',
          queries: [
            {
              expr: `topk(8, ${rate(`${statements}_sum`, 'plugin, db_query_summary', plugins)})`,
              legend: '{{plugin}} {{db_query_summary}}',
            },
          ],
          min: 0,
        },
        {
          id: 10,
          title: 'Statements by plugin',
          question: 'How much does each plugin ask of the database?',
          unit: 'ops',
          kind: 'stacked',
          queries: [{ expr: rate(`${statements}_count`, 'plugin', plugins), legend: '{{plugin}}' }],
        },
        {
          id: 11,
          title: 'Failed statements',
          question: 'Which statements fail, by class of SQLSTATE? 40 is a conflict that is tried again, 57 a shutdown.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (plugin, error_type) (rate(${statements}_count{${plugins},error_type!=""}[$__rate_interval]))`,
              legend: '{{plugin}} {{error_type}}',
            },
          ],
          min: 0,
        },
        {
          id: 12,
          title: 'Transactions by end',
          question: 'Do transactions commit? Abandoned: a plugin died or held it for too long.',
          unit: 'ops',
          queries: [
            {
              expr: rate('returnit_db_transactions_total', 'plugin, outcome', plugins),
              legend: '{{plugin}} {{outcome}}',
            },
          ],
          min: 0,
        },
      ],
    },
    databaseServer,
  ],
};
