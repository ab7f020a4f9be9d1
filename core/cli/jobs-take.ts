import type { Command } from 'commander';
import { AppError } from '#core/errors/app-error.ts';
import { writeJson, type CommandDeps } from './command-deps.ts';
import { openJobs, type JobsApi } from './jobs-api.ts';
import { addLetterSelection, selectLetters, type LetterSelection } from './jobs-options.ts';

interface Outcome {
  readonly id: string;
  readonly queue: string | null;
  readonly error: string | null;
}

interface Taking {
  readonly name: 'replay' | 'drop';
  readonly done: string;
  readonly description: string;
}

/** `returnit jobs replay [IDS...] [--all] [--queue Q] [--limit N] [--json]`, and `drop` */
export function registerJobsTakeCommands(jobs: Command, deps: CommandDeps): void {
  registerTaking(jobs, deps, {
    name: 'replay',
    done: 'replayed',
    description: 'put dead letters back into the queues they failed in, with all their attempts',
  });
  registerTaking(jobs, deps, { name: 'drop', done: 'dropped', description: 'remove dead letters for good' });
}

function registerTaking(jobs: Command, deps: CommandDeps, { name, done, description }: Taking): void {
  addLetterSelection(jobs.command(name).description(description)).action(
    async (ids: readonly string[], options: LetterSelection) => {
      const api = await openJobs(deps.config);
      const outcomes: Outcome[] = [];
      for (const id of await selectLetters(api, ids, options)) {
        const outcome = await take(api, name, id);
        outcomes.push(outcome);
        // At once: should a later one fail, this one has happened.
        if (options.json !== true) deps.stdout.write(`${id} ${outcome.error ?? `${done}: ${outcome.queue}`}\n`);
      }
      if (options.json === true) writeJson(deps, outcomes);
      const failed = outcomes.filter(({ error }) => error !== null);
      if (options.json !== true) deps.stdout.write(`${outcomes.length - failed.length} ${done}\n`);
      if (failed.length > 0)
        throw new AppError('NOT_FOUND', `Cannot ${name} ${failed.length} of ${outcomes.length} dead letters`);
    },
  );
}

/** One that another took meanwhile must not keep the rest from being taken. */
async function take(api: JobsApi, name: Taking['name'], id: string): Promise<Outcome> {
  try {
    return { ...(await api[name](id)), error: null };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'CORE_NOT_RUNNING') throw error;
    return { id, queue: null, error: error.message };
  }
}
