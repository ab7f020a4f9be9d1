/** The plugin on a real database, with channels and a clock that are the test's. */
import type { Plugin } from '#plugin-api';
import type { Channel, Delivery, OutgoingMessage } from '../../../plugins/notifications/channels/channel.ts';
import type { ContactChannel } from '../../../plugins/notifications/person.ts';
import { register } from '../../../plugins/notifications/register.ts';
import { readSettings } from '../../../plugins/notifications/settings.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import type { PluginDatabase } from '../support/plugin-database.ts';

export const startOfTest = Date.parse('2026-05-04T08:00:00.000Z');

export interface FakeChannel extends Channel {
  /** What was handed over, in order; each try. */
  readonly tries: OutgoingMessage[];
  /** What the next tries come to; then all are sent. */
  readonly script: (Delivery | 'throws')[];
}

export function createFakeChannel(name: ContactChannel): FakeChannel {
  const tries: OutgoingMessage[] = [];
  const script: FakeChannel['script'] = [];
  return {
    name,
    tries,
    script,
    send(message) {
      tries.push(message);
      const next = script.shift() ?? { kind: 'sent' };
      return next === 'throws' ? Promise.reject(new Error('a fault')) : Promise.resolve(next);
    },
  };
}

export interface MessageState {
  readonly event: string;
  readonly channel: string;
  readonly state: string;
  readonly attempts: number;
  readonly error: string | null;
  readonly reason: string | null;
}

export interface Messenger {
  readonly running: RunningPlugin;
  readonly clock: { nowMs: number };
  deliver(event: string, data: object, id?: string): Promise<void>;
  /** Runs the jobs that are due, and those that they send, until none is due. */
  runDue(): Promise<void>;
  /** Goes from job to job in time until there is none left. */
  runAll(): Promise<void>;
  /** The job of a message comes again, as when the process that ran it is gone. */
  redeliver(notificationId: string, queue: string): void;
  /** Jobs not run yet. */
  waiting(): number;
  prefer(person: string, preferences: object): Promise<Reply>;
  counted(channel: string, outcome: string): number;
  states(): Promise<MessageState[]>;
}

export async function startMessenger(
  data: PluginDatabase,
  channels: readonly Channel[],
  env: Readonly<Record<string, string>> = {},
): Promise<Messenger> {
  const clock = { nowMs: startOfTest };
  const settings = readSettings(env);
  const plugin: Plugin = {
    setup: (ctx) =>
      register(ctx, {
        settings,
        channels: new Map(channels.map((channel) => [channel.name, channel])),
        now: () => clock.nowMs,
      }),
  };
  const running = await runPlugin(plugin, data.db);
  const jobs = followJobs(data, clock);

  const runDue = async (): Promise<void> => {
    for (let job = jobs.take(); job !== undefined; job = jobs.take()) await running.work(job.queue, job.data);
  };
  return {
    running,
    clock,
    deliver: (event, facts, id) => running.deliver(event, facts, id, new Date(clock.nowMs).toISOString()),
    runDue,
    async runAll() {
      for (let steps = 0; steps < 500; steps += 1) {
        await runDue();
        const next = jobs.nextMs();
        if (next === undefined) return;
        clock.nowMs = Math.max(clock.nowMs, next);
      }
      throw new Error('jobs come again and again');
    },
    redeliver: (notificationId, queue) => jobs.add(queue, { notificationId }),
    waiting: () => jobs.count(),
    prefer: (id, body) =>
      running.request('PUT /notifications/preferences', { principal: { id, role: 'customer' }, body }),
    counted: (channel, outcome) => running.counted('returnit_notifications_total', { channel, outcome }),
    states: async () => {
      const rows = await data.sql(
        `select event_id as event, channel, state, attempts, last_error as error, drop_reason as reason
         from notifications.notifications order by sequence`,
      );
      return rows as unknown as MessageState[];
    },
  };
}

function followJobs(database: PluginDatabase, clock: { readonly nowMs: number }) {
  let seen = database.sent.length;
  const jobs: { queue: string; dueMs: number; data: object }[] = [];
  const look = (): void => {
    for (const { name, data: job, options } of database.sent.slice(seen)) {
      if (!name.startsWith('notifications.')) continue;
      jobs.push({ queue: name, dueMs: clock.nowMs + (options?.startAfterSeconds ?? 0) * 1000, data: job });
    }
    seen = database.sent.length;
  };
  return {
    take(): { readonly queue: string; readonly data: object } | undefined {
      look();
      const index = jobs.findIndex(({ dueMs }) => dueMs <= clock.nowMs);
      return index === -1 ? undefined : jobs.splice(index, 1)[0];
    },
    nextMs(): number | undefined {
      look();
      return jobs.length === 0 ? undefined : Math.min(...jobs.map(({ dueMs }) => dueMs));
    },
    add: (queue: string, data: object) => void jobs.push({ queue, dueMs: clock.nowMs, data }),
    count(): number {
      look();
      return jobs.length;
    },
  };
}
