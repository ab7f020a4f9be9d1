import type { RouteTable } from '#core/http/route-table.ts';
import type { RouteDefinition, RouteRequest } from '#core/http/route.ts';
import type { JobSystem } from '#core/jobs/job-system.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { DeadLetterQuery, DeadLetters, Job, JobParams, OverdueJobs, QueueStates, Taken } from './job-schemas.ts';

export interface JobRoutesOptions {
  readonly jobs: Pick<JobSystem, 'inspection' | 'deadLetters'>;
  readonly telemetry: Telemetry;
}

interface JobRoute extends Pick<RouteDefinition, 'verb' | 'path' | 'summary' | 'params' | 'query' | 'response'> {
  readonly answer: (request: RouteRequest) => Promise<object>;
}

const overdueMax = 100;
const jobIdOf = ({ params }: RouteRequest): string => (params as JobParams).jobId;

/** What ops may see of the queues and do with dead letters while the core runs. */
export function addJobRoutes(routes: RouteTable, options: JobRoutesOptions): void {
  for (const { answer, ...definition } of [...readingRoutes(options), ...takingRoutes(options)]) {
    routes.add({
      ...definition,
      owner: { name: 'core', id: 'core' },
      roles: ['ops'],
      run: async (request) => ({ status: 200, text: JSON.stringify(await answer(request)) }),
    });
  }
}

function readingRoutes({ jobs: { inspection, deadLetters } }: JobRoutesOptions): readonly JobRoute[] {
  return [
    {
      verb: 'GET',
      path: '/jobs/queues',
      summary: 'The queues and what waits in them',
      response: { 200: QueueStates },
      answer: async () => ({ queues: await inspection.queues() }),
    },
    {
      verb: 'GET',
      path: '/jobs/overdue',
      summary: `Active jobs past their deadline, the first ${overdueMax}`,
      response: { 200: OverdueJobs },
      answer: async () => ({ jobs: await inspection.overdue(overdueMax) }),
    },
    {
      verb: 'GET',
      path: '/jobs/dead-letters',
      summary: 'Jobs that failed for the last time, oldest first',
      query: DeadLetterQuery,
      response: { 200: DeadLetters },
      answer: ({ query }) => deadLetters.listDeadLetters({ limit: 20, ...(query as DeadLetterQuery) }),
    },
    {
      verb: 'GET',
      path: '/jobs/{jobId}',
      summary: 'One job, or dead letter, with its data and its error',
      params: JobParams,
      response: { 200: Job },
      answer: (request) => inspection.find(jobIdOf(request)),
    },
  ];
}

function takingRoutes({ jobs: { deadLetters }, telemetry }: JobRoutesOptions): readonly JobRoute[] {
  const taken = telemetry.metrics.counter('returnit_job_dead_letters_total');
  const logger = telemetry.logger.child({ component: 'jobs' });
  /** Who did it stands in the log: a job done again may move money again. */
  const answerTaken =
    (action: 'replayed' | 'dropped', work: (id: string) => Promise<string>): JobRoute['answer'] =>
    async (request) => {
      const id = jobIdOf(request);
      const queue = await work(id);
      taken.inc({ queue, action });
      logger.info({ jobId: id, queue, principal: request.principal.id }, `Dead letter ${action}`);
      return { id, queue };
    };
  return [
    {
      verb: 'POST',
      path: '/jobs/dead-letters/{jobId}/replay',
      summary: 'Puts a dead letter back into the queue it failed in',
      params: JobParams,
      response: { 200: Taken },
      answer: answerTaken('replayed', (id) => deadLetters.replayDeadLetter(id)),
    },
    {
      verb: 'DELETE',
      path: '/jobs/dead-letters/{jobId}',
      summary: 'Removes a dead letter for good',
      params: JobParams,
      response: { 200: Taken },
      answer: answerTaken('dropped', (id) => deadLetters.dropDeadLetter(id)),
    },
  ];
}
