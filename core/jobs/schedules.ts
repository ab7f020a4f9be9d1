import type { PgBoss } from 'pg-boss';
import { AppError } from '#core/errors/app-error.ts';
import type { JobEnvelope } from './job-envelope.ts';
import type { Queues } from './queues.ts';

export interface ScheduleRequest {
  readonly plugin: string;
  readonly queue: string;
  /** Five fields. */
  readonly cron: string;
  readonly timeZone: string;
  readonly data: object;
}

export interface Schedules {
  /**
   * Sends a job at each occurrence, once on all nodes together; none while the one before is unfinished.
   *
   * @throws {AppError} INVALID_CALL for a wrong expression or time zone
   */
  set(request: ScheduleRequest): Promise<void>;
  /** Removes the schedules that a plugin no longer makes; to be called when it is ready. @returns their queues */
  keep(plugin: string, queues: readonly string[]): Promise<readonly string[]>;
}

export function createSchedules(boss: PgBoss, queues: Queues): Schedules {
  return {
    async set({ plugin, queue, cron, timeZone, data }) {
      assertCron(boss, cron, timeZone);
      await queues.ensure(queue);
      const envelope: JobEnvelope = { data, traceparent: null };
      await boss.schedule(queue, cron, envelope, { tz: timeZone, key: plugin });
    },
    async keep(plugin, kept) {
      const all = await boss.getSchedules();
      const stale = all.filter((schedule) => schedule.key === plugin && !kept.includes(schedule.name));
      for (const { name } of stale) await boss.unschedule(name, plugin);
      return stale.map((schedule) => schedule.name);
    },
  };
}

function assertCron(boss: PgBoss, cron: string, timeZone: string): void {
  const fields = cron.trim().split(/\s+/).length;
  if (fields !== 5) {
    throw new AppError(
      'INVALID_CALL',
      `Cannot schedule by "${cron}": a cron expression has 5 fields, it has ${fields}`,
    );
  }
  try {
    boss.previewSchedule(cron, { tz: timeZone, count: 1 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('INVALID_CALL', `Cannot schedule by "${cron}" in "${timeZone}": ${reason}`, { cause: error });
  }
}
