import type { Command } from 'commander';
import { listDeaths, type DeathRecord } from '#core/plugin-host/deaths.ts';
import type { PluginsCommandDeps } from './plugins-context.ts';
import { formatTable, plainText } from './text-table.ts';

/** `returnit plugins deaths NAME [--json]`: why its processes ended, newest last. */
export function registerPluginsDeathsCommand(plugins: Command, deps: PluginsCommandDeps): void {
  plugins
    .command('deaths')
    .description('why a plugin ended: crash, loop, memory, heartbeat, protocol')
    .argument('<name>')
    .option('--json', 'as JSON')
    .action(async (name: string, options: { readonly json?: true }) => {
      const deaths = await listDeaths(deps.config.dataDir, name);
      if (options.json === true) deps.stdout.write(`${JSON.stringify(deaths, null, 2)}\n`);
      else if (deaths.length === 0) deps.stdout.write(`${name} has not died\n`);
      else deps.stdout.write(formatTable(['TIME', 'VERSION', 'REASON', 'WHAT', 'PROFILE'], deaths.map(toRow)));
    });
}

function toRow({ time, version, reason, message, profile }: DeathRecord): string[] {
  const firstLine = message.split('\n')[0] ?? '';
  return [time, version, reason, plainText(firstLine.slice(0, 120)), profile ?? '-'];
}
