import { Type } from 'typebox';
import type { SendOptions } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import type { Transactions } from '#core/database/transactions.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { JobSystem } from '#core/jobs/job-system.ts';
import { isReservedQueue, nameLengthMax, queuePattern } from '#core/jobs/queue-names.ts';
import { createSlots } from '#core/jobs/slots.ts';
import type { WorkerHandle } from '#core/jobs/worker.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import { method, type Access, type Capability } from '../capability.ts';
import { writeOutbox } from './write-outbox.ts';

export interface JobsCapabilityOptions {
  readonly jobs: Pick<JobSystem, 'outbox' | 'pool' | 'schedules' | 'work'>;
  readonly transactions: Pick<Transactions, 'use' | 'onCommit'>;
  readonly config: Pick<Config, 'jobTimeoutMs'>;
}

export interface JobsCapability extends Capability {
  /** To be called when a plugin is ready: removes the schedules of earlier versions that it did not make again. */
  settle(instance: PluginInstance): Promise<void>;
}

const Queue = Type.String({ pattern: queuePattern, maxLength: nameLengthMax });
const SendArgs = Type.Object(
  {
    queue: Queue,
    data: Type.Object({}),
    options: Type.Object(
      {
        startAfterSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 31_536_000 })),
        singletonKey: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
        retryLimit: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
      },
      { additionalProperties: false },
    ),
    tx: Type.Optional(Type.String({ maxLength: 100 })),
  },
  { additionalProperties: false },
);
const WorkArgs = Type.Object(
  {
    queue: Queue,
    concurrency: Type.Integer({ minimum: 1, maximum: 100 }),
    handler: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
const ScheduleArgs = Type.Object(
  {
    queue: Queue,
    cron: Type.String({ minLength: 1, maxLength: 200 }),
    timeZone: Type.String({ minLength: 1, maxLength: 100 }),
    data: Type.Object({}),
  },
  { additionalProperties: false },
);

interface Send {
  readonly queue: string;
  readonly data: object;
  readonly options: SendOptions;
  readonly tx?: string;
}

interface WorkRequest {
  readonly queue: string;
  readonly concurrency: number;
  readonly handler: number;
}

interface Registration {
  readonly instance: PluginInstance;
  readonly worker: WorkerHandle;
}

/** Jobs of plugins: sent through the outbox, worked by the plugin's process as long as it lives. */
export function createJobsCapability(options: JobsCapabilityOptions): JobsCapability {
  const { jobs } = options;
  const work = createRegistrations(options);
  const scheduled = new WeakMap<PluginInstance, Set<string>>();
  const access = ({ queue }: { queue: string }): readonly Access[] => [{ permission: 'jobs', resource: queue }];

  return {
    name: 'jobs',
    methods: {
      send: method<Send>({
        args: SendArgs,
        access,
        async run({ queue, data, options: sendOptions, tx }, { instance, signal }) {
          assertOwn(queue);
          const entry = { plugin: instance.plugin.name, kind: 'job', name: queue, data, options: sendOptions } as const;
          await writeOutbox(options, entry, { instance, tx, signal });
          return null;
        },
      }),
      work: method<WorkRequest>({
        args: WorkArgs,
        access,
        async run(args, { instance }) {
          assertOwn(args.queue);
          await work(instance, args);
          return null;
        },
      }),
      schedule: method<{ queue: string; cron: string; timeZone: string; data: object }>({
        args: ScheduleArgs,
        access,
        async run(args, { instance }) {
          assertOwn(args.queue);
          await jobs.schedules.set({ plugin: instance.plugin.name, ...args });
          const queues = scheduled.get(instance) ?? new Set();
          scheduled.set(instance, queues.add(args.queue));
          return null;
        },
      }),
    },
    async settle(instance) {
      await jobs.schedules.keep(instance.plugin.name, [...(scheduled.get(instance) ?? [])]);
    },
  };
}

/** Who works on which queue here. */
function createRegistrations({
  jobs,
  config,
}: JobsCapabilityOptions): (instance: PluginInstance, args: WorkRequest) => Promise<void> {
  const registrations = new Map<string, Registration>();
  return async (instance, args) => {
    const { queue, handler } = args;
    const earlier = registrations.get(queue);
    if (earlier !== undefined && earlier.instance.plugin.name !== instance.plugin.name) {
      throw new AppError(
        'INVALID_CALL',
        `Cannot work on queue "${queue}": plugin "${earlier.instance.plugin.name}" works on it`,
      );
    }
    const worker = await jobs.work({
      queue,
      plugin: instance.plugin.name,
      slots: createSlots(args.concurrency),
      gone: instance.gone,
      async handle({ id, data, attempt }) {
        await instance.handle(handler, { id, queue, data, attempt }, { timeoutMs: config.jobTimeoutMs });
      },
    });
    const registration = { instance, worker };
    registrations.set(queue, registration);
    const forget = (): void => {
      if (registrations.get(queue) === registration) registrations.delete(queue);
    };
    instance.gone.addEventListener('abort', forget, { once: true });
    if (instance.gone.aborted) forget();
    // Its jobs in flight finish with the handler they began with.
    if (earlier?.instance === instance) void earlier.worker.stop();
  };
}

function assertOwn(queue: string): void {
  if (!isReservedQueue(queue)) return;
  throw new AppError('INVALID_CALL', `Cannot use queue "${queue}": "event.", "core." and ".dead" belong to the core`);
}
