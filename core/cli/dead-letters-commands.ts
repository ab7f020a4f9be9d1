import type { Command } from 'commander';
import type { DeadLettersDeps } from './dead-letters-api.ts';
import { registerDeadLettersDropCommand } from './dead-letters-drop.ts';
import { registerDeadLettersListCommand } from './dead-letters-list.ts';
import { registerDeadLettersReplayCommand } from './dead-letters-replay.ts';
import { registerDeadLettersShowCommand } from './dead-letters-show.ts';

/** `returnit dead-letters …`: devices' messages that were rejected, on the core that runs on this data folder. */
export function registerDeadLettersCommands(program: Command, deps: DeadLettersDeps): void {
  const deadLetters = program.command('dead-letters').description("drivers' messages that were rejected");
  registerDeadLettersListCommand(deadLetters, deps);
  registerDeadLettersShowCommand(deadLetters, deps);
  registerDeadLettersReplayCommand(deadLetters, deps);
  registerDeadLettersDropCommand(deadLetters, deps);
}
