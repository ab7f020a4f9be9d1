import type { Command } from 'commander';
import type { CommandDeps } from './command-deps.ts';
import { registerOrdersActCommands } from './orders-act.ts';
import { registerOrdersFindCommand } from './orders-find.ts';
import { registerOrdersShowCommand } from './orders-show.ts';

/** `returnit orders …`: what ops does with an order by hand, on the core that runs on this data folder. */
export function registerOrdersCommands(program: Command, deps: CommandDeps): void {
  const orders = program.command('orders').description('find an order, see its whole story, and step in');
  registerOrdersFindCommand(orders, deps);
  registerOrdersShowCommand(orders, deps);
  registerOrdersActCommands(orders, deps);
}
