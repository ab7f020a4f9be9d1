import type { Command } from 'commander';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { findRunningCore, reasonOf } from './running-core.ts';

export interface ReleaseDeps {
  readonly config: Config;
  readonly stdout: { write(text: string): unknown };
}

interface Released {
  readonly name?: string;
  readonly state?: string;
}

/** `returnit plugins release NAME`: asks the core that runs on this data folder to start a quarantined plugin again. */
export function registerPluginsReleaseCommand(plugins: Command, deps: ReleaseDeps): void {
  plugins
    .command('release <name>')
    .description('start a quarantined plugin again')
    .option('--json', 'as JSON')
    .action(async (name: string, flags: { json?: true }) => {
      const core = await findRunningCore(deps.config);
      const answer = await core.request('POST', `/plugins/${encodeURIComponent(name)}/release`);
      if (!answer.ok) {
        throw new AppError(answer.status === 404 ? 'PLUGIN_UNKNOWN' : 'PLUGIN_UNAVAILABLE', reasonOf(answer));
      }
      const released: Released = answer.body;
      deps.stdout.write(
        flags.json === true
          ? `${JSON.stringify(released)}\n`
          : `${released.name ?? name} is ${released.state ?? 'unknown'}\n`,
      );
    });
}
