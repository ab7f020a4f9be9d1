import * as pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';
import type { Counter, Histogram, Labels, Metrics } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { toAddress } from './database-url.ts';

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;

export interface PoolOptions {
  /** Value of the label `db_client_connection_pool_name`: `core` or the plugin. */
  readonly name: string;
  readonly url: string;
  readonly max: number;
  /** Connections kept when idle. @default 0 */
  readonly min?: number;
  readonly idleTimeoutMs: number;
  readonly acquireTimeoutMs: number;
  readonly telemetry: Telemetry;
  /** @default pg's */
  readonly types?: pg.CustomTypesConfig;
}

const ignoreLoss = (): void => {};

/** What pg-pool says when the acquire time is over, and when connecting takes longer than it. */
const timeoutPattern = /^(timeout exceeded when trying to connect|Connection terminated due to connection timeout)$/;

/**
 * A pg.Pool that measures itself. Every way into a pool (`query()`, `connect()` with promise or callback) goes through
 * `connect()`, so that is the one place where waiting and use are timed.
 */
export class Pool extends pg.Pool {
  readonly name: string;
  readonly max: number;
  readonly #acquireTimeoutMs: number;
  readonly #labels: Labels;
  readonly #waits: Histogram;
  readonly #uses: Histogram;
  readonly #timeouts: Counter;
  readonly #unsubscribe: () => void;

  constructor(options: PoolOptions) {
    super({
      connectionString: options.url,
      max: options.max,
      min: options.min ?? 0,
      idleTimeoutMillis: options.idleTimeoutMs,
      connectionTimeoutMillis: options.acquireTimeoutMs,
      application_name: `returnit ${options.name}`,
      keepAlive: true,
      ...(options.types === undefined ? {} : { types: options.types }),
      Client: createMeasuredClient(options),
    });
    this.name = options.name;
    this.max = options.max;
    const { metrics } = options.telemetry;
    this.#acquireTimeoutMs = options.acquireTimeoutMs;
    this.#labels = { db_client_connection_pool_name: options.name };
    this.#waits = metrics.histogram('db_client_connection_wait_time_seconds');
    this.#uses = metrics.histogram('db_client_connection_use_time_seconds');
    this.#timeouts = metrics.counter('db_client_connection_timeouts_total');
    this.#unsubscribe = this.#reportState(metrics, options.min ?? 0);
    // pg-pool listens to idle connections alone: one that breaks while it is held, between two statements, would end
    // the process. Whoever holds it gets the error from the next statement.
    this.on('connect', (client) => client.on('error', ignoreLoss));
    const logger = options.telemetry.logger.child({ component: 'database', pool: options.name });
    // Without a listener an idle connection that the server closes would end the process; pg-pool has removed it already.
    this.on('error', (error) => {
      // While the pool ends, its connections are meant to be lost.
      if (!this.ending) logger.warn({ err: error }, 'Idle database connection lost');
    });
  }

  /** Connections in use, idle, and callers that wait for one. */
  get state(): { readonly used: number; readonly idle: number; readonly pending: number } {
    return { used: this.totalCount - this.idleCount, idle: this.idleCount, pending: this.waitingCount };
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const measured = this.#connectMeasured();
    if (callback === undefined) return measured;
    // eslint-disable-next-line promise/no-callback-in-promise -- pg-pool's own query() calls connect() with a callback
    measured.then(
      (client) => callback(undefined, client, (error) => client.release(error as Error | boolean | undefined)),
      (error: Error) => callback(error, undefined, () => {}),
    );
  }

  async #connectMeasured(): Promise<pg.PoolClient> {
    const askedAt = performance.now();
    let client: pg.PoolClient;
    try {
      client = await super.connect();
    } catch (error) {
      if (!(error instanceof Error) || !timeoutPattern.test(error.message)) throw error;
      this.#timeouts.inc(this.#labels);
      throw new AppError(
        'OVERLOADED',
        `Cannot get a database connection of pool "${this.name}": none of ${this.max} was free within ${this.#acquireTimeoutMs} ms`,
        { details: { pool: this.name, max: this.max }, cause: error },
      );
    }
    const gotAt = performance.now();
    this.#waits.observe(this.#labels, (gotAt - askedAt) / 1000);
    const release = client.release.bind(client);
    client.release = (error) => {
      this.#uses.observe(this.#labels, (performance.now() - gotAt) / 1000);
      release(error);
    };
    return client;
  }

  #reportState(metrics: Metrics, min: number): () => void {
    const labels = this.#labels;
    this.#timeouts.inc(labels, 0);
    return metrics.onCollect(() => {
      const { used, idle, pending } = this.state;
      const count = metrics.gauge('db_client_connections');
      count.set({ ...labels, db_client_connection_state: 'used' }, used);
      count.set({ ...labels, db_client_connection_state: 'idle' }, idle);
      metrics.gauge('db_client_connection_max').set(labels, this.max);
      metrics.gauge('db_client_connection_idle_min').set(labels, min);
      metrics.gauge('db_client_connection_pending_requests').set(labels, pending);
    });
  }

  /** Opens connections until there are `count`, so that the first requests do not pay for it. */
  async warm(count: number): Promise<void> {
    const missing = Math.min(count, this.max) - this.totalCount;
    const clients = await Promise.all(Array.from({ length: Math.max(0, missing) }, () => this.connect()));
    for (const client of clients) client.release();
  }

  /** Idempotent. Waits for the connections in use, `graceMs` at most. */
  async stop(graceMs: number): Promise<void> {
    if (this.ending) return;
    this.#unsubscribe();
    const ended = this.end();
    const grace = new AbortController();
    await Promise.race([
      ended,
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        grace.signal.addEventListener('abort', () => clearTimeout(timer));
      }),
    ]);
    grace.abort();
  }
}

/** Times how long a connection takes to open, which the pool cannot see from outside. */
function createMeasuredClient(options: PoolOptions): typeof pg.Client {
  const labels = { db_client_connection_pool_name: options.name };
  const histogram = options.telemetry.metrics.histogram('db_client_connection_create_time_seconds');
  return class extends pg.Client {
    override connect(): Promise<pg.Client>;
    override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void;
    override connect(callback?: unknown): Promise<pg.Client> | void {
      const startedAt = performance.now();
      if (callback === undefined) return super.connect();
      super.connect((error: Error | null) => {
        if (error === null || error === undefined) histogram.observe(labels, (performance.now() - startedAt) / 1000);
        (callback as (error: Error | null, client: pg.Client) => void)(error, this);
      });
    }
  };
}

/** The reason why a connection failed, without anything secret. */
export function toUnreachable(url: string, error: unknown): AppError {
  const reason = error instanceof AggregateError ? error.errors.map(reasonOf).join(', ') : reasonOf(error);
  return new AppError('DATABASE_UNREACHABLE', `Cannot reach the database at ${toAddress(url)}: ${reason}`, {
    details: { address: toAddress(url) },
    cause: error,
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
