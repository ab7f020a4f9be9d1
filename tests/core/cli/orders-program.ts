import { Command } from 'commander';
import { registerOrdersCommands } from '#core/cli/orders-commands.ts';
import { loadConfig } from '#core/config/config.ts';

/** Runs `returnit orders <args>` in this process. @returns what it printed */
export async function runOrders(dataDir: string, args: readonly string[]): Promise<string> {
  let printed = '';
  const program = new Command('returnit').exitOverride().configureOutput({ writeErr: () => undefined });
  registerOrdersCommands(program, {
    config: loadConfig({}, { dataDir }),
    stdout: { write: (text) => (printed += text) },
  });
  await program.parseAsync(['orders', ...args], { from: 'user' });
  return printed;
}
