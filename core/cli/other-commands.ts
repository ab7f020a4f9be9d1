import type { Command } from 'commander';
import type { Config } from '#core/config/settings.ts';
import { registerDeadLettersCommands } from './dead-letters-commands.ts';
import { registerDoctorCommand } from './doctor.ts';
import { registerPluginsCommands } from './plugins-commands.ts';
import { registerPluginsReleaseCommand } from './plugins-release.ts';
import { registerJobsCommands } from './jobs-commands.ts';
import { registerOrdersCommands } from './orders-commands.ts';
import { createMosquittoInitCommand } from './mosquitto-init.ts';
import { createTokenCommand } from './token.ts';

/** All but `start`. */
export function registerOtherCommands(
  program: Command,
  deps: { readonly config: Config; readonly projectDir: string; readonly stdout: NodeJS.WriteStream },
): void {
  const { config, projectDir, stdout } = deps;
  const plugins = registerPluginsCommands(program, { config, projectDir, stdout });
  registerPluginsReleaseCommand(plugins, { config, stdout });
  registerDeadLettersCommands(program, { config, stdout });
  registerJobsCommands(program, { config, stdout });
  registerOrdersCommands(program, { config, stdout });
  registerDoctorCommand(program, { config, projectDir, stdout });
  program.addCommand(createTokenCommand({ loadConfig: () => config, write: (text) => void stdout.write(text) }));
  program.addCommand(
    createMosquittoInitCommand({ loadConfig: () => config, write: (text) => void stdout.write(text) }),
  );
}
