import type { Command } from 'commander';
import { openDeadLetters, type DeadLettersDeps, type ReplayedLetter } from './dead-letters-api.ts';
import { addSelection, selectIds, type SelectionOptions } from './dead-letters-options.ts';
import { plainText } from './text-table.ts';

/** `returnit dead-letters replay [IDS...] [--all] [--reason R] [--limit N] [--json]` */
export function registerDeadLettersReplayCommand(deadLetters: Command, deps: DeadLettersDeps): void {
  const command = deadLetters
    .command('replay')
    .description('take rejected messages again, as of their receipt; those that are taken are removed');
  addSelection(command).action(async (ids: readonly string[], options: SelectionOptions) => {
    const api = await openDeadLetters(deps.config);
    const results: ReplayedLetter[] = [];
    for (const id of await selectIds(api, ids, options)) {
      const result = await api.replay(id);
      results.push(result);
      // At once: should a later one fail, this one has happened.
      if (options.json !== true) deps.stdout.write(`${id} ${describe(result)}\n`);
    }
    const rejected = results.filter(({ outcome }) => outcome === 'rejected').length;
    deps.stdout.write(
      options.json === true
        ? `${JSON.stringify(results, null, 2)}\n`
        : `${results.length - rejected} taken, ${rejected} still rejected\n`,
    );
  });
}

function describe({ outcome, reason, detail }: ReplayedLetter): string {
  return outcome === 'rejected' ? `rejected ${reason ?? ''}: ${plainText(detail ?? '')}` : outcome;
}
