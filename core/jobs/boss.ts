import type pg from 'pg';
import { PgBoss, type Db } from 'pg-boss';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { toPrepared } from './prepared.ts';

export interface BossOptions {
  readonly pool: pg.Pool;
  readonly config: Pick<Config, 'shutdownTimeoutMs'>;
  readonly telemetry: Telemetry;
}

export interface Boss {
  /** The queues. Its workers are not used: core/jobs/worker.ts fetches, so that a claim can be given back. */
  readonly queues: PgBoss;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Seconds between looks for jobs whose node gives no sign any more, or whose time is over. */
const superviseSeconds = 5;

/** Seconds between looks for schedules that are due, so the longest delay of one. */
const scheduleSeconds = 10;

/** pg-boss on the core's own pool, so that the connection budget holds. */
export function createBoss(options: BossOptions): Boss {
  const { pool, telemetry } = options;
  const logger = telemetry.logger.child({ component: 'jobs' });
  const queues = new PgBoss({
    db: { executeSql: (text, values) => pool.query(toPrepared(text, values)) },
    schema: 'pgboss',
    superviseIntervalSeconds: superviseSeconds,
    monitorIntervalSeconds: superviseSeconds,
    cronMonitorIntervalSeconds: scheduleSeconds,
    registerInstance: false,
    openTelemetry: { enabled: false },
  });
  queues.on('error', (error) => logger.error({ err: error }, 'Queue maintenance failed'));
  queues.on('warning', (warning) => logger.warn({ warning: warning.message, ...warning.data }, 'Queue warning'));

  return {
    queues,
    async start() {
      await queues.start();
    },
    async stop() {
      await queues.stop({ graceful: true, close: false, timeout: options.config.shutdownTimeoutMs });
    },
  };
}

/** Runs pg-boss calls on a transaction's own connection. */
export function onClient(client: pg.ClientBase): Db {
  return { executeSql: (text, values) => client.query(toPrepared(text, values)) };
}
