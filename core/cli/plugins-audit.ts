import { InvalidArgumentError, type Command } from 'commander';
import { AppError } from '#core/errors/app-error.ts';
import { readAudit, verifyAudit } from '#core/plugin-host/audit/audit-read.ts';
import { auditDirOf, type PluginsCommandDeps } from './plugins-context.ts';
import { formatTable } from './text-table.ts';

interface AuditCommandOptions {
  readonly plugin?: string;
  readonly limit: number;
  readonly verify?: true;
  readonly json?: true;
}

/** `returnit plugins audit [--plugin NAME] [--limit N] [--verify] [--json]` */
export function registerPluginsAuditCommand(plugins: Command, deps: PluginsCommandDeps): void {
  plugins
    .command('audit')
    .description('the newest denials, grant changes and accesses given')
    .option('--plugin <name>', 'of this plugin alone')
    .option('--limit <records>', 'how many', parseLimit, 50)
    .option('--verify', 'check the chain of hashes instead')
    .option('--json', 'as JSON')
    .action(async (options: AuditCommandOptions) =>
      options.verify === true ? verify(deps, options) : print(deps, options),
    );
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!/^\d{1,6}$/.test(text) || limit < 1)
    throw new InvalidArgumentError('It must be a whole number from 1 to 999999');
  return limit;
}

async function print(deps: PluginsCommandDeps, { plugin, limit, json }: AuditCommandOptions): Promise<void> {
  const records = await readAudit({ dir: auditDirOf(deps), limit, ...(plugin === undefined ? {} : { plugin }) });
  if (json === true) {
    deps.stdout.write(`${JSON.stringify(records, null, 2)}\n`);
    return;
  }
  if (records.length === 0) {
    deps.stdout.write('There are no audit records\n');
    return;
  }
  const rows = records.map((record) => [
    record.time,
    `${record.plugin}@${record.version}`,
    record.decision,
    record.permission,
    record.resource || '-',
    record.rule,
    record.trace_id ?? '-',
  ]);
  deps.stdout.write(formatTable(['TIME', 'PLUGIN', 'DECISION', 'PERMISSION', 'RESOURCE', 'RULE', 'TRACE'], rows));
}

/** @throws {AppError} INTERNAL when the chain is broken */
async function verify(deps: PluginsCommandDeps, { json }: AuditCommandOptions): Promise<void> {
  const result = await verifyAudit({ dir: auditDirOf(deps) });
  if (json === true) deps.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  if (result.problems.length > 0) {
    const lines = result.problems.map(({ file, line, message }) => `  ${file}:${line} ${message}`);
    throw new AppError('INTERNAL', `Cannot vouch for the audit: its chain is broken\n${lines.join('\n')}`, {
      details: { ...result },
    });
  }
  if (json !== true)
    deps.stdout.write(
      `${result.records} records, the chain is whole${result.repaired === 0 ? '' : `, ${result.repaired} torn lines noted`}\n`,
    );
}
