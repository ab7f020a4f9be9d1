import * as pg from 'pg';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { acquireConnection } from './acquire-connection.ts';
import type { Database } from './database.ts';
import { toUnreachable, type Pool } from './pool.ts';

export interface DatabaseHealthState {
  readonly up: boolean;
  /** Why the last look failed; null when it did not. */
  readonly lastError: string | null;
  /** Milliseconds since the epoch; null before the first look. */
  readonly checkedAt: number | null;
}

export interface DatabaseHealth {
  /** As of the last look: reading it costs nothing and cannot fail. */
  readonly state: DatabaseHealthState;
  /** Resolves after the first look, whatever it saw. */
  start(): Promise<void>;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface DatabaseHealthOptions {
  readonly database: Pick<Database, 'admin' | 'url'>;
  readonly telemetry: Telemetry;
  readonly config: Pick<Config, 'dbHealthIntervalMs'>;
  /** @default Date.now */
  readonly now?: () => number;
}

/** Asks the database every DB_HEALTH_INTERVAL_MS whether it answers. One look at a time, none longer than that. */
export function createDatabaseHealth(options: DatabaseHealthOptions): DatabaseHealth {
  const { database, telemetry, config, now = Date.now } = options;
  const logger = telemetry.logger.child({ component: 'database' });
  const gauge = telemetry.metrics.gauge('returnit_db_up');
  const look = createLook(database);
  const stopping = new AbortController();
  let state: DatabaseHealthState = { up: false, lastError: null, checkedAt: null };
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();

  function record(error: unknown): void {
    const failure = error === undefined ? null : toUnreachable(database.url, error);
    const before = state;
    state = { up: failure === null, lastError: failure?.message ?? null, checkedAt: now() };
    gauge.set({}, state.up ? 1 : 0);
    if (failure !== null && (before.up || before.checkedAt === null)) {
      logger.error({ err: failure }, 'The database does not answer');
    }
    if (failure === null && !before.up && before.checkedAt !== null) logger.info('The database answers again');
  }

  async function check(): Promise<void> {
    const late = AbortSignal.timeout(config.dbHealthIntervalMs);
    let failure: unknown;
    try {
      await look(AbortSignal.any([late, stopping.signal]));
    } catch (error) {
      failure = late.aborted ? new Error(`it did not answer within ${config.dbHealthIntervalMs} ms`) : error;
    }
    if (stopping.signal.aborted) return;
    record(failure);
    timer = setTimeout(() => {
      looking = check();
    }, config.dbHealthIntervalMs);
  }

  return {
    get state() {
      return state;
    },
    start() {
      looking = check();
      return looking;
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await looking;
    },
  };
}

/**
 * The core's pool is asked, at no cost. When all its connections are in use, that says nothing of the database: then a
 * connection is opened for this look alone.
 */
function createLook({ admin, url }: Pick<Database, 'admin' | 'url'>): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    if (isBusy(admin)) await askOnce(url, signal);
    else await askPool(admin, signal);
  };
}

function isBusy({ state, max }: Pool): boolean {
  return state.pending > 0 || state.used >= max;
}

async function askPool(admin: Pool, signal: AbortSignal): Promise<void> {
  const client = await acquireConnection(admin, signal);
  let isSound = false;
  try {
    await unlessAborted(client.query('select 1'), signal);
    isSound = true;
  } finally {
    client.release(!isSound);
  }
}

async function askOnce(url: string, signal: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'returnit health' });
  client.on('error', () => {
    // The query or connect() that is under way rejects with the same error.
  });
  try {
    await unlessAborted(client.connect(), signal);
    await unlessAborted(client.query('select 1'), signal);
  } finally {
    // Not awaited: a server that does not answer does not say goodbye either.
    void client.end().catch(() => {
      // It never connected: there is nothing to end.
    });
  }
}

async function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
    // What comes after the abort is of no interest.
    work.catch(() => {});
  }
}
