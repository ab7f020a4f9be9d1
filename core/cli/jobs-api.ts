import type { Config } from '#core/config/settings.ts';
import { findRunningCore } from './running-core.ts';

/** As the core answers it. */
export interface ListedQueue {
  readonly queue: string;
  readonly queued: number;
  readonly deferred: number;
  readonly active: number;
  readonly overdue: number;
  readonly failed: number;
  readonly oldestSeconds: number | null;
}

export interface ListedLetter {
  readonly id: string;
  readonly queue: string;
  readonly data: unknown;
  readonly error: unknown;
  readonly attempts: number;
  readonly traceId: string | null;
  readonly sentAt: string;
  readonly failedAt: string;
}

export interface ShownJob extends Omit<ListedLetter, 'failedAt'> {
  readonly state: string;
  readonly startedAt: string | null;
  readonly deadlineAt: string | null;
  readonly endedAt: string | null;
}

export interface TakenLetter {
  readonly id: string;
  readonly queue: string;
}

export interface JobsApi {
  queues(): Promise<readonly ListedQueue[]>;
  overdue(): Promise<readonly ShownJob[]>;
  /** Oldest first. */
  dead(query: { readonly queue?: string | undefined; readonly limit: number }): Promise<readonly ListedLetter[]>;
  show(id: string): Promise<ShownJob>;
  replay(id: string): Promise<TakenLetter>;
  drop(id: string): Promise<TakenLetter>;
}

const pageMax = 100;

/** @throws {AppError} CORE_NOT_RUNNING; each call NOT_FOUND, VALIDATION_FAILED */
export async function openJobs(config: Config): Promise<JobsApi> {
  const core = await findRunningCore(config);
  return {
    queues: async () => (await core.ask<{ queues: readonly ListedQueue[] }>('GET', '/jobs/queues')).queues,
    overdue: async () => (await core.ask<{ jobs: readonly ShownJob[] }>('GET', '/jobs/overdue')).jobs,
    async dead({ queue, limit }) {
      const letters: ListedLetter[] = [];
      let cursor: string | null = null;
      do {
        const query = new URLSearchParams({ limit: String(Math.min(pageMax, limit - letters.length)) });
        if (queue !== undefined) query.set('queue', queue);
        if (cursor !== null) query.set('cursor', cursor);
        const page: { letters: readonly ListedLetter[]; nextCursor: string | null } = await core.ask(
          'GET',
          `/jobs/dead-letters?${query.toString()}`,
        );
        letters.push(...page.letters);
        cursor = page.nextCursor;
      } while (cursor !== null && letters.length < limit);
      return letters;
    },
    show: (id) => core.ask('GET', `/jobs/${id}`),
    replay: (id) => core.ask('POST', `/jobs/dead-letters/${id}/replay`),
    drop: (id) => core.ask('DELETE', `/jobs/dead-letters/${id}`),
  };
}
