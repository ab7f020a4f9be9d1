import type { Command } from 'commander';
import { listVariables } from '#core/config/config.ts';
import { examine } from '#core/doctor/doctor.ts';
import type { Finding } from '#core/doctor/finding.ts';
import { writeJson, type CommandDeps } from './command-deps.ts';
import { formatTable, plainText } from './text-table.ts';

/** `returnit doctor [--json]`: exit code 1 when something has failed. */
export function registerDoctorCommand(program: Command, deps: CommandDeps & { readonly projectDir: string }): void {
  program
    .command('doctor')
    .description('looks at configuration, data folder, plugins, core, database, broker and jobs, and says what to do')
    .option('--json', 'as JSON')
    .action(async ({ json }: { readonly json?: true }) => {
      const findings = await examine({ ...deps, variables: listVariables() });
      if (json === true) writeJson(deps, findings);
      else deps.stdout.write(formatTable(['CHECK', 'VERDICT', 'SAYS'], findings.flatMap(toRows)));
      if (findings.some(({ verdict }) => verdict === 'failed')) process.exitCode = 1;
    });
}

/** What is to be done stands below. */
function toRows({ check, verdict, says, todo }: Finding): string[][] {
  const rows = [[check, verdict, plainText(says)]];
  return todo === undefined ? rows : [...rows, ['', '', `-> ${plainText(todo)}`]];
}
