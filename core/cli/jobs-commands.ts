import type { Command } from 'commander';
import type { CommandDeps } from './command-deps.ts';
import { registerJobsDeadCommand } from './jobs-dead.ts';
import { registerJobsListCommand } from './jobs-list.ts';
import { registerJobsShowCommand } from './jobs-show.ts';
import { registerJobsTakeCommands } from './jobs-take.ts';

/** `returnit jobs …`: queues, stuck jobs and dead letters, on the core that runs on this data folder. */
export function registerJobsCommands(program: Command, deps: CommandDeps): void {
  const jobs = program.command('jobs').description('queues, stuck jobs, and jobs that failed for the last time');
  registerJobsListCommand(jobs, deps);
  registerJobsDeadCommand(jobs, deps);
  registerJobsShowCommand(jobs, deps);
  registerJobsTakeCommands(jobs, deps);
}
