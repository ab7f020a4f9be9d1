import type { Command } from 'commander';
import { writeJson, type CommandDeps } from './command-deps.ts';
import { parseLimit } from './dead-letters-options.ts';
import { openJobs, type ListedLetter } from './jobs-api.ts';
import { formatTable, plainText } from './text-table.ts';

interface DeadOptions {
  readonly limit: number;
  readonly json?: true;
}

/** Of a text in the table; `show` has the whole. */
const cellMax = 80;

/** `returnit jobs dead [QUEUE] [--limit N] [--json]` */
export function registerJobsDeadCommand(jobs: Command, deps: CommandDeps): void {
  jobs
    .command('dead')
    .description('dead letters: jobs and deliveries of events that failed for the last time, oldest first')
    .argument('[queue]', 'of this queue alone, such as payments.authorise or event.orders.payment.authorised')
    .option('--limit <letters>', 'how many, at most 1000', parseLimit, 20)
    .option('--json', 'as JSON')
    .action(async (queue: string | undefined, { limit, json }: DeadOptions) => {
      const letters = await (await openJobs(deps.config)).dead({ queue, limit });
      if (json === true) writeJson(deps, letters);
      else if (letters.length === 0) deps.stdout.write('There are no dead letters\n');
      else deps.stdout.write(formatTable(header, letters.map(toRow)));
    });
}

const header = ['ID', 'QUEUE', 'FAILED', 'ATTEMPTS', 'ERROR'];

function toRow({ id, queue, failedAt, attempts, error }: ListedLetter): string[] {
  return [id, queue, failedAt, String(attempts), plainText(describeError(error)).slice(0, cellMax)];
}

/** As the worker stored it: an error's code and message, or what pg-boss says of a job that took too long. */
export function describeError(error: unknown): string {
  const { code, message } = (typeof error === 'object' ? (error ?? {}) : {}) as Readonly<Record<string, unknown>>;
  if (typeof message === 'string') return typeof code === 'string' ? `${code}: ${message}` : message;
  return JSON.stringify(error) ?? '-';
}
