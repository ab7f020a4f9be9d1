/** What the routes of jobs take and answer. */
import { Type, type Static } from 'typebox';
import { nameLengthMax } from '#core/jobs/queue-names.ts';

const closed = { additionalProperties: false } as const;
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const instant = Type.String({ format: 'date-time' });
const count = Type.Integer({ minimum: 0 });
const Queue = Type.String({ pattern: `^[a-z][a-z0-9._-]{0,${nameLengthMax}}$` });

const QueueState = Type.Object(
  {
    queue: Type.String(),
    queued: count,
    deferred: count,
    active: count,
    overdue: Type.Integer({ minimum: 0, description: 'Active jobs past their deadline' }),
    failed: Type.Integer({ minimum: 0, description: 'Dead letters' }),
    oldestSeconds: nullable(Type.Number({ description: 'How long the oldest job that could run has waited' })),
  },
  closed,
);
export const QueueStates = Type.Object({ queues: Type.Array(QueueState) }, closed);

const jobFields = {
  id: Type.String({ format: 'uuid' }),
  queue: Type.String(),
  data: Type.Unknown(),
  error: Type.Unknown({ description: "The last attempt's error, or null" }),
  attempts: count,
  traceId: nullable(Type.String()),
  sentAt: instant,
};
export const Job = Type.Object(
  {
    ...jobFields,
    state: Type.String({ description: 'created, retry, active, completed, cancelled, failed, or dead: a dead letter' }),
    startedAt: nullable(instant),
    deadlineAt: nullable(instant),
    endedAt: nullable(instant),
  },
  closed,
);
export const OverdueJobs = Type.Object({ jobs: Type.Array(Job) }, closed);
export const DeadLetters = Type.Object(
  {
    letters: Type.Array(Type.Object({ ...jobFields, failedAt: instant }, closed)),
    nextCursor: nullable(Type.String()),
  },
  closed,
);
export const DeadLetterQuery = Type.Object(
  {
    queue: Type.Optional(Queue),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  closed,
);
export const JobParams = Type.Object({ jobId: Type.String({ format: 'uuid' }) }, closed);
export const Taken = Type.Object({ id: Type.String({ format: 'uuid' }), queue: Type.String() }, closed);

export type DeadLetterQuery = Static<typeof DeadLetterQuery>;
export type JobParams = Static<typeof JobParams>;
