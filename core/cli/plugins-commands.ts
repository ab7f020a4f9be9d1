import type { Command } from 'commander';
import { registerPluginsAuditCommand } from './plugins-audit.ts';
import type { PluginsCommandDeps } from './plugins-context.ts';
import { registerPluginsDeathsCommand } from './plugins-deaths.ts';
import { registerPluginsGrantCommand } from './plugins-grant.ts';
import { registerPluginsInspectCommand } from './plugins-inspect.ts';
import { registerPluginsListCommand } from './plugins-list.ts';
import { registerPluginsLockCommand } from './plugins-lock.ts';
import { registerPluginsPermissionsCommand } from './plugins-permissions.ts';

/** `returnit plugins …`; returns the group, for commands that are added elsewhere. */
export function registerPluginsCommands(program: Command, deps: PluginsCommandDeps): Command {
  const plugins = program.command('plugins').description('what the plugins are, ask for, may do and died of');
  registerPluginsListCommand(plugins, deps);
  registerPluginsInspectCommand(plugins, deps);
  registerPluginsPermissionsCommand(plugins, deps);
  registerPluginsGrantCommand(plugins, deps);
  registerPluginsLockCommand(plugins, deps);
  registerPluginsDeathsCommand(plugins, deps);
  registerPluginsAuditCommand(plugins, deps);
  return plugins;
}
