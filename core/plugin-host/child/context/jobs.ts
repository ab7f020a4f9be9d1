import type { Job, Jobs } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';
import type { Registrations } from './registrations.ts';

const concurrencyDefault = 4;

export function createJobs(core: CoreConnection, registrations: Registrations): Jobs {
  return Object.freeze({
    send: async (queue: string, data: object, options: object = {}) =>
      void (await core.call('jobs.send', { queue, data, options })),
    work<Data>(
      queue: string,
      run: (job: Job<Data>) => Promise<void>,
      options: { readonly concurrency?: number } = {},
    ): void {
      registrations.add('jobs.work', `worker of ${queue}`, () => ({
        queue,
        concurrency: options.concurrency ?? concurrencyDefault,
        handler: core.handler('jobs.work', async (input, { signal }) => {
          await run({ ...input, data: input.data as Data, signal });
          return null;
        }),
      }));
    },
    schedule(queue: string, cron: string, options: { readonly timeZone?: string; readonly data?: object } = {}): void {
      registrations.add('jobs.schedule', `schedule of ${queue}`, () => ({
        queue,
        cron,
        timeZone: options.timeZone ?? 'UTC',
        data: options.data ?? {},
      }));
    },
  });
}
