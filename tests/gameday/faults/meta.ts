/** Whether we see at all. */
import { monitorRole } from '#core/database/monitor-role.ts';
import type { Fault } from '../fault.ts';

const core = { service: 'core' };

export const metaFaults: readonly Fault[] = [
  {
    name: 'node-gone',
    what: 'The only node is killed, and comes back',
    expects: [
      { alert: 'TargetDown', labels: { ...core, job: 'returnit' } },
      { alert: 'MetricsAbsent', labels: core },
    ],
    async inject(system) {
      await system.killCore();
      return () => system.startCore();
    },
  },
  {
    name: 'cardinality-burst',
    what: 'A plugin counts with more values of a label than a metric may have',
    expects: [{ alert: 'LabelSetsDropped', labels: { ...core, metric: 'returnit_saboteur_burst_total' } }],
    async inject(system) {
      await system.sabotage('labels', 600);
      const load = system.caller.keep((count) => system.caller.post('/saboteur/labels', { amount: 600 + count }), {
        perSecond: 1,
        callers: 1,
      });
      return () => load.stop();
    },
  },
  {
    name: 'unreadable-queues',
    what: "A column of the outbox has another name than the core's collector asks for",
    expects: [{ alert: 'CollectorsFailing', labels: core }],
    async inject(system) {
      const rename = (from: string, to: string): Promise<void> =>
        system.withDatabase(
          async (client) => void (await client.query(`alter table returnit.outbox rename column ${from} to ${to}`)),
        );
      await rename('created_at', 'made_at');
      return () => rename('made_at', 'created_at');
    },
  },
  {
    name: 'statistics-refused',
    what: "The role that reads Postgres' statistics may see them no more",
    // Read that often in the shortened time: an increase needs two readings in its window.
    needs: { environment: { DB_STATISTICS_INTERVAL_MS: '1000' } },
    expects: [{ alert: 'StatisticsFailing', labels: core }],
    async inject(system) {
      const sql = (text: string): Promise<void> =>
        system.withDatabase(async (client) => void (await client.query(text)));
      await sql(`revoke pg_read_all_stats from ${monitorRole}`);
      await sql(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${monitorRole}'`);
      return () => sql(`grant pg_read_all_stats to ${monitorRole}`);
    },
  },
  {
    name: 'broken-rule',
    what: 'A rule is loaded that cannot be evaluated',
    expects: [{ alert: 'RulesFailing', labels: core }],
    async inject({ monitoring, shortened }) {
      const rules = [{ record: 'drill:up:product', expr: 'up * on () up' }];
      await monitoring.useRules({ groups: [{ name: 'drill', interval: `${shortened(30) * 1000}ms`, rules }] });
      return () => monitoring.useRules(undefined);
    },
  },
  {
    name: 'receiver-refuses',
    what: 'Whoever is told refuses to listen',
    expects: [{ alert: 'NotificationsNotSent', labels: { ...core, integration: 'webhook' } }],
    async inject({ monitoring: { receiver } }) {
      receiver.refuse('ALERT_HEARTBEAT_URL', true);
      return async () => receiver.refuse('ALERT_HEARTBEAT_URL', false);
    },
  },
];
