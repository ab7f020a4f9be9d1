import type * as pg from 'pg';
import { thresholds as t } from '#core/config/thresholds.ts';
import { ok, warning, type Finding } from './finding.ts';

interface Work {
  readonly oldest: number;
  readonly queue: string | null;
  readonly overdue: number;
  readonly dead: number;
  readonly outbox: number;
}

const readWork = `select
    coalesce((select extract(epoch from now() - min(start_after))::float8 from pgboss.job
      where state < 'active' and start_after <= now() and name not like '\\_\\_pgboss%' and name not like '%.dead'), 0) as oldest,
    (select name from pgboss.job
      where state < 'active' and start_after <= now() and name not like '\\_\\_pgboss%' and name not like '%.dead'
      order by start_after limit 1) as queue,
    (select count(*)::int from pgboss.job
      where state = 'active' and started_on + expire_seconds * interval '1 second' < now()) as overdue,
    (select count(*)::int from pgboss.job where state = 'created' and name = source_name || '.dead') as dead,
    coalesce((select extract(epoch from now() - min(created_at))::float8 from returnit.outbox), 0) as outbox`;

/** What waits and should not: in the queues, in the outbox, and among what failed for the last time. */
export async function checkJobs(client: pg.Client): Promise<readonly Finding[]> {
  const { rows: tables } = await client.query<{ known: boolean }>(
    `select to_regclass('pgboss.job') is not null and to_regclass('returnit.outbox') is not null as known`,
  );
  if (tables[0]?.known !== true) return [ok('jobs', 'there are none yet')];
  const { rows } = await client.query<Work>(readWork);
  const { oldest = 0, queue = null, overdue = 0, dead = 0, outbox = 0 } = rows[0] ?? {};
  const findings: Finding[] = [];
  const seconds = (value: number): string => `${Math.round(value)} s`;
  if (oldest > t.jobAge.value) {
    findings.push(
      warning(
        'jobs',
        `the oldest job of ${queue ?? '?'} has waited for ${seconds(oldest)}`,
        'See alerts/runbooks/JobQueueStalled.md',
      ),
    );
  }
  if (outbox > t.outboxAge.value) {
    findings.push(
      warning('jobs', `the oldest row of the outbox is ${seconds(outbox)} old`, 'See alerts/runbooks/OutboxStalled.md'),
    );
  }
  if (overdue > 0) {
    findings.push(warning('jobs', `${overdue} active jobs are past their deadline`, 'npx returnit jobs list'));
  }
  if (dead > 0) {
    findings.push(
      warning(
        'jobs',
        `${dead} jobs failed for the last time`,
        'npx returnit jobs dead; see alerts/runbooks/JobsGivenUp.md',
      ),
    );
  }
  return findings.length > 0 ? findings : [ok('jobs', 'none is stuck, none was given up')];
}
