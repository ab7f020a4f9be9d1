import type { Command } from 'commander';
import { writeJson, type CommandDeps } from './command-deps.ts';
import { openJobs, type ShownJob } from './jobs-api.ts';
import { describeError } from './jobs-dead.ts';
import { parseJobId } from './jobs-options.ts';
import { formatFields, plainText } from './text-table.ts';

/** `returnit jobs show ID [--json]` */
export function registerJobsShowCommand(jobs: Command, deps: CommandDeps): void {
  jobs
    .command('show')
    .description('a job, or dead letter, with its data and its error')
    .argument('<id>', 'which one', parseJobId)
    .option('--json', 'as JSON')
    .action(async (id: string, { json }: { readonly json?: true }) => {
      const job = await (await openJobs(deps.config)).show(id);
      if (json === true) writeJson(deps, job);
      else deps.stdout.write(describe(job));
    });
}

function describe(job: ShownJob): string {
  const fields = formatFields([
    ['id', job.id],
    ['queue', job.queue],
    ['state', job.state],
    ['attempts', String(job.attempts)],
    ['sent', job.sentAt],
    ['started', job.startedAt],
    ['deadline', job.deadlineAt],
    ['ended', job.endedAt],
    ['trace', job.traceId],
    ['error', job.error === null ? null : describeError(job.error)],
  ]);
  const pretty = (value: unknown): string =>
    `${(JSON.stringify(value, null, 2) ?? '').split('\n').map(plainText).join('\n')}\n`;
  const details = job.error === null ? '' : `\nerror\n${pretty(job.error)}`;
  return `${fields}\ndata\n${pretty(job.data)}${details}`;
}
