/**
 * `npm run gameday`: one fault after another on a running system that Prometheus and Alertmanager watch in shortened
 * time. Each must bring about the alert that is meant for it, of the right plugin, and nobody is called for anything else.
 *
 * `--only=name,name` a part of it · `--factor=20` how much shorter all times are · `--patience=1` how much longer is
 * waited, on a machine with much else to do
 */
import { parseArgs } from 'node:util';
import { endStartedAtExit } from '../support/end-started.ts';
import { faults } from './faults.ts';
import { notProvoked } from './not-provoked.ts';
import { copyForGameDay, skipWithoutNeeds } from './system.ts';
import { runFault, type FaultResult } from './run-fault.ts';
import { formatResults, isPassed, toRows } from './table.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    factor: { type: 'string', default: '20' },
    patience: { type: 'string', default: '1' },
  },
});

function numberOf(flag: 'factor' | 'patience', { min, max }: { readonly min: number; readonly max: number }): number {
  const value = Number(values[flag]);
  if (value >= min && value <= max) return value;
  throw new RangeError(`Cannot use --${flag}: it must be from ${min} to ${max}: it is "${values[flag]}"`);
}

function selectFaults(): typeof faults {
  if (values.only === undefined) return faults;
  const names = values.only.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !faults.some((fault) => fault.name === name));
  if (unknown === undefined) return faults.filter(({ name }) => names.includes(name));
  throw new RangeError(`Cannot find the fault "${unknown}": there are ${faults.map(({ name }) => name).join(', ')}`);
}

const write = (text: string): boolean => process.stdout.write(text);

async function main(): Promise<void> {
  const selected = selectFaults();
  const factor = numberOf('factor', { min: 1, max: 60 });
  const patience = numberOf('patience', { min: 1, max: 100 });
  const project = await copyForGameDay();
  const results: FaultResult[] = [];
  const notDone: string[] = [];
  try {
    for (const fault of selected) {
      const reason = skipWithoutNeeds(fault.needs);
      if (reason !== false) {
        notDone.push(`${fault.name}: ${reason}`);
        continue;
      }
      write(`${fault.name}: ${fault.what}\n`);
      const result = await runFault(fault, { project, factor, patience });
      if (result.error !== undefined) write(`${result.error.stack ?? result.error.message}\n`);
      for (const row of toRows(result)) write(`  ${row.slice(1).join('  ')}\n`);
      results.push(result);
    }
  } finally {
    await project.remove();
  }
  const failed = results.filter((result) => !isPassed(result)).length;
  write(`\n${formatResults(results)}\n\n`);
  for (const each of notDone) write(`not done here: ${each}\n`);
  for (const [alert, reason] of Object.entries(notProvoked)) write(`not provoked: ${alert}: ${reason}\n`);
  write(`${results.length} faults, ${failed} of them failed; times divided by ${factor}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

endStartedAtExit();
await main();
