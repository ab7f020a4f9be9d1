import type { PgBoss } from 'pg-boss';

/** One attempt of a job: a later one is not settled by it. */
export interface Attempt {
  readonly id: string;
  readonly retryCount: number;
}

export interface CompletionOptions {
  readonly boss: Pick<PgBoss, 'complete'>;
  readonly queue: string;
  /** How long the first waits for others. */
  readonly waitMs: number;
}

export interface Completion {
  /** Resolves when it is written that the job is done. @throws what the database throws */
  complete(attempt: Attempt): Promise<void>;
}

/** Most attempts of one statement. */
const batchMax = 100;

interface Waiting {
  readonly attempt: Attempt;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes that jobs of a queue are done, those that end at about the same time in one statement. One statement at a time: a
 * database that holds it up has one connection of ours, and not one for each job that ends meanwhile.
 */
export function createCompletion({ boss, queue, waitMs }: CompletionOptions): Completion {
  const waiting: Waiting[] = [];
  let isWriting = false;
  let timer: NodeJS.Timeout | undefined;

  async function write(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (isWriting) return;
    isWriting = true;
    const batch = waiting.splice(0, batchMax);
    try {
      await boss.complete(
        queue,
        batch.map(({ attempt }) => attempt),
      );
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    isWriting = false;
    plan();
  }

  function plan(): void {
    if (isWriting || waiting.length === 0) return;
    if (waiting.length >= batchMax) void write();
    else timer ??= setTimeout(() => void write(), waitMs);
  }

  return {
    complete(attempt) {
      return new Promise((resolve, reject) => {
        waiting.push({ attempt, resolve, reject });
        plan();
      });
    },
  };
}
