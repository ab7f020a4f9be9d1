import type pg from 'pg';
import type { ClaimedJob } from './job-run.ts';
import type { Worker } from './worker.ts';
import type { Workers } from './workers.ts';

interface Claim {
  readonly worker: Worker;
  readonly slots: number;
  readonly jobs: readonly ClaimedJob[];
}

/** Of one job, by its whole key: planned while there were no jobs, it still reads one row when there are thousands. */
const claimJob = {
  name: 'claim_new_job',
  text: `update pgboss.job set state = 'active', started_on = pgboss.job_now(), heartbeat_on = pgboss.job_now()
    where name = $1 and id = $2 and state = 'created'
    returning id, name, data, retry_count as "retryCount", retry_limit as "retryLimit", start_after as "startAfter",
      started_on as "startedOn", created_on as "createdOn"`,
} as const;

/**
 * Jobs of one transaction of the relay that go straight to workers of this node: claimed as they are put into their queues,
 * they need not be fetched, which costs more than all else that is done to a job. Should this node die, they come again as
 * any job does of which there is no sign of life.
 */
export class Handover {
  readonly #workers: Workers;
  readonly #claims: Claim[] = [];

  constructor(workers: Workers) {
    this.#workers = workers;
  }

  /** Claims as many of these new jobs as there are free places. @returns whether others wait for one */
  async claim(client: pg.ClientBase, queue: string, ids: readonly string[]): Promise<boolean> {
    let left = ids;
    for (const worker of this.#workers.of(queue)) {
      const slots = worker.reserve(left.length);
      if (slots === 0) continue;
      const jobs: ClaimedJob[] = [];
      this.#claims.push({ worker, slots, jobs });
      for (const id of left.slice(0, slots)) {
        const { rows } = await client.query<ClaimedJob>({ ...claimJob, values: [queue, id] });
        jobs.push(...rows);
      }
      left = left.slice(slots);
    }
    return left.length > 0;
  }

  /** The transaction is committed. */
  begin(): void {
    for (const { worker, slots, jobs } of this.#claims.splice(0)) worker.begin(slots, jobs);
  }

  /** It is not. */
  release(): void {
    for (const { worker, slots } of this.#claims.splice(0)) worker.begin(slots, []);
  }
}
