import { InvalidArgumentError, type Command } from 'commander';
import { AppError } from '#core/errors/app-error.ts';
import type { DeadLettersApi } from './dead-letters-api.ts';

export interface SelectionOptions {
  readonly all?: true;
  readonly reason?: string;
  readonly limit: number;
  readonly json?: true;
}

const limitMax = 1000;

export function parseLimit(text: string): number {
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(limit >= 1 && limit <= limitMax))
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${limitMax}.`);
  return limit;
}

export function parseReason(text: string): string {
  if (!/^[a-z_]{1,40}$/.test(text)) throw new InvalidArgumentError('It must be a reason such as "unknown_driver".');
  return text;
}

export function parseId(text: string): string {
  if (!/^[1-9]\d{0,17}$/.test(text))
    throw new InvalidArgumentError('It must be an id as "returnit dead-letters list" shows it.');
  return text;
}

const parseIds = (text: string, earlier: readonly string[] | undefined): readonly string[] => [
  ...(earlier ?? []),
  parseId(text),
];

/** `<command> [ids...] [--all] [--reason R] [--limit N] [--json]` */
export function addSelection(command: Command): Command {
  return command
    .argument('[ids...]', 'which ones', parseIds)
    .option('--all', 'the newest, whatever their ids')
    .option('--reason <reason>', 'with --all: those rejected for this reason alone', parseReason)
    .option('--limit <letters>', `with --all: how many, at most ${limitMax}`, parseLimit, 100)
    .option('--json', 'as JSON');
}

/** @throws {AppError} VALIDATION_FAILED when it is not clear which ones are meant */
export async function selectIds(
  api: DeadLettersApi,
  ids: readonly string[],
  options: SelectionOptions,
): Promise<readonly string[]> {
  if (options.all === true) {
    if (ids.length > 0) throw refuse('there are both ids and --all');
    const { reason, limit } = options;
    const letters = await api.list({ limit, ...(reason === undefined ? {} : { reason }) });
    // The oldest first, as they came.
    return letters.map(({ id }) => id).toReversed();
  }
  if (options.reason !== undefined) throw refuse('--reason needs --all');
  if (ids.length === 0) throw refuse('there is neither an id nor --all');
  return [...new Set(ids)];
}

function refuse(what: string): AppError {
  return new AppError('VALIDATION_FAILED', `Cannot choose dead letters: ${what}`);
}
