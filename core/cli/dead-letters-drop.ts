import type { Command } from 'commander';
import { openDeadLetters, type DeadLettersDeps } from './dead-letters-api.ts';
import { addSelection, selectIds, type SelectionOptions } from './dead-letters-options.ts';

/** `returnit dead-letters drop [IDS...] [--all] [--reason R] [--limit N] [--json]` */
export function registerDeadLettersDropCommand(deadLetters: Command, deps: DeadLettersDeps): void {
  const command = deadLetters.command('drop').description('remove rejected messages for good');
  addSelection(command).action(async (ids: readonly string[], options: SelectionOptions) => {
    const api = await openDeadLetters(deps.config);
    const dropped: string[] = [];
    for (const id of await selectIds(api, ids, options)) {
      await api.drop(id);
      dropped.push(id);
    }
    deps.stdout.write(options.json === true ? `${JSON.stringify({ dropped })}\n` : `${dropped.length} dropped\n`);
  });
}
