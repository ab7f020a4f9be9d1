import type { Command } from 'commander';
import { openDeadLetters, type DeadLettersDeps, type ListedLetter } from './dead-letters-api.ts';
import { parseLimit, parseReason } from './dead-letters-options.ts';
import { formatTable, plainText } from './text-table.ts';

interface ListOptions {
  readonly reason?: string;
  readonly limit: number;
  readonly json?: true;
}

/** Of a text in the table; `show` has the whole. */
const cellMax = 60;

/** `returnit dead-letters list [--reason R] [--limit N] [--json]` */
export function registerDeadLettersListCommand(deadLetters: Command, deps: DeadLettersDeps): void {
  deadLetters
    .command('list')
    .description('rejected messages, newest first')
    .option('--reason <reason>', 'rejected for this reason alone', parseReason)
    .option('--limit <letters>', 'how many, at most 1000', parseLimit, 20)
    .option('--json', 'as JSON')
    .action(async ({ reason, limit, json }: ListOptions) => {
      const api = await openDeadLetters(deps.config);
      const letters = await api.list({ limit, ...(reason === undefined ? {} : { reason }) });
      if (json === true) deps.stdout.write(`${JSON.stringify(letters, null, 2)}\n`);
      else if (letters.length === 0) deps.stdout.write('There are no dead letters\n');
      else deps.stdout.write(formatTable(header, letters.map(toRow)));
    });
}

const header = ['ID', 'RECEIVED', 'COPIES', 'REPLAYS', 'REASON', 'SENDER', 'TOPIC', 'DETAIL'];

function toRow(letter: ListedLetter): string[] {
  const { id, receivedAt, copies, replays, reason, username, topic, detail } = letter;
  const texts = [reason, username ?? '-', topic, detail].map((text) => plainText(text).slice(0, cellMax));
  return [id, receivedAt, String(copies), String(replays), ...texts];
}
