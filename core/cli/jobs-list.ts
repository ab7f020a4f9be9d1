import type { Command } from 'commander';
import { writeJson, type CommandDeps } from './command-deps.ts';
import { openJobs, type ListedQueue, type ShownJob } from './jobs-api.ts';
import { formatTable } from './text-table.ts';

/** `returnit jobs [list] [--json]` */
export function registerJobsListCommand(jobs: Command, deps: CommandDeps): void {
  jobs
    .command('list', { isDefault: true })
    .description('the queues, what waits in them, and active jobs past their deadline')
    .option('--json', 'as JSON')
    .action(async ({ json }: { readonly json?: true }) => {
      const api = await openJobs(deps.config);
      const [queues, overdue] = await Promise.all([api.queues(), api.overdue()]);
      if (json === true) return writeJson(deps, { queues, overdue });
      deps.stdout.write(formatTable(queueHeader, queues.map(toQueueRow)));
      if (overdue.length === 0) deps.stdout.write('\nNo active job is past its deadline\n');
      else deps.stdout.write(`\nActive past their deadline:\n${formatTable(jobHeader, overdue.map(toJobRow))}`);
    });
}

const queueHeader = ['QUEUE', 'QUEUED', 'DEFERRED', 'ACTIVE', 'OVERDUE', 'FAILED', 'OLDEST'];
const jobHeader = ['ID', 'QUEUE', 'STARTED', 'DEADLINE', 'ATTEMPT', 'TRACE'];

function toQueueRow({ queue, queued, deferred, active, overdue, failed, oldestSeconds }: ListedQueue): string[] {
  const oldest = oldestSeconds === null ? '-' : `${Math.round(oldestSeconds)} s`;
  return [queue, ...[queued, deferred, active, overdue, failed].map(String), oldest];
}

function toJobRow({ id, queue, startedAt, deadlineAt, attempts, traceId }: ShownJob): string[] {
  return [id, queue, startedAt ?? '-', deadlineAt ?? '-', String(attempts), traceId ?? '-'];
}
