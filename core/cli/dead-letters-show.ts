import type { Command } from 'commander';
import { openDeadLetters, type DeadLettersDeps, type ShownLetter } from './dead-letters-api.ts';
import { parseId } from './dead-letters-options.ts';
import { plainText } from './text-table.ts';

/** `returnit dead-letters show ID [--json]` */
export function registerDeadLettersShowCommand(deadLetters: Command, deps: DeadLettersDeps): void {
  deadLetters
    .command('show')
    .description('a rejected message with its payload')
    .argument('<id>', 'which one', parseId)
    .option('--json', 'as JSON')
    .action(async (id: string, { json }: { readonly json?: true }) => {
      const letter = await (await openDeadLetters(deps.config)).show(id);
      deps.stdout.write(json === true ? `${JSON.stringify(letter, null, 2)}\n` : describe(letter));
    });
}

function describe(letter: ShownLetter): string {
  const copies = letter.copies === 1 ? '' : `, ${letter.copies} times until ${letter.lastReceivedAt}`;
  const replays = letter.replays === 0 ? 'none' : `${letter.replays} in vain, the last at ${letter.replayedAt}`;
  const whole = letter.truncated ? `, cut off: it cannot be replayed` : '';
  const lines = [
    ['id', letter.id],
    ['received', `${letter.receivedAt}${copies}`],
    ['topic', plainText(letter.topic)],
    ['sender', plainText(letter.username ?? '-')],
    ['reason', `${letter.reason}: ${plainText(letter.detail)}`],
    ['replays', replays],
    ['payload', `${letter.payloadBytes} bytes, shown as ${letter.encoding}${whole}`],
  ];
  const text = lines.map(([name = '', value = '']) => `${name.padEnd(10)}${value}\n`).join('');
  return `${text}\n${plainText(letter.payload)}\n`;
}
