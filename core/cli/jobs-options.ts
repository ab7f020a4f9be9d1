import { InvalidArgumentError, type Command } from 'commander';
import { AppError } from '#core/errors/app-error.ts';
import { isUuid } from '#core/jobs/job-id.ts';
import { parseLimit } from './dead-letters-options.ts';
import type { JobsApi } from './jobs-api.ts';

export interface LetterSelection {
  readonly all?: true;
  readonly queue?: string;
  readonly limit: number;
  readonly json?: true;
}

export function parseJobId(text: string): string {
  if (!isUuid(text)) throw new InvalidArgumentError('It must be an id as "returnit jobs dead" shows it.');
  return text;
}

const parseJobIds = (text: string, earlier: readonly string[] | undefined): readonly string[] => [
  ...(earlier ?? []),
  parseJobId(text),
];

/** `<command> [ids...] [--all] [--queue Q] [--limit N] [--json]` */
export function addLetterSelection(command: Command): Command {
  return command
    .argument('[ids...]', 'which ones', parseJobIds)
    .option('--all', 'the oldest, whatever their ids')
    .option('--queue <queue>', 'with --all: those that failed in this queue alone')
    .option('--limit <letters>', 'with --all: how many, at most 1000', parseLimit, 100)
    .option('--json', 'as JSON');
}

/** @throws {AppError} VALIDATION_FAILED when it is not clear which ones are meant */
export async function selectLetters(
  api: JobsApi,
  ids: readonly string[],
  { all, queue, limit }: LetterSelection,
): Promise<readonly string[]> {
  if (all === true) {
    if (ids.length > 0) throw refuse('there are both ids and --all');
    return (await api.dead({ queue, limit })).map(({ id }) => id);
  }
  if (queue !== undefined) throw refuse('--queue needs --all');
  if (ids.length === 0) throw refuse('there is neither an id nor --all');
  return [...new Set(ids)];
}

function refuse(what: string): AppError {
  return new AppError('VALIDATION_FAILED', `Cannot choose dead letters: ${what}`);
}
