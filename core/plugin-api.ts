/**
 * The plugin API: types only. A plugin imports nothing else of the platform.
 *
 * Glossary
 * - plugin: a folder with a `plugin.json` (what it asks for) and a `plugin.ts` (what it does).
 * - capability: a door to the world on `ctx`. Every call passes `invoke()` in the core.
 * - permission: what a plugin asks for in its manifest. grant: what the operator allows.
 * - principal: who makes an HTTP request, taken from a verified token; on a device's route, from its credentials.
 * - event: a fact, in the past tense (`order.created`), delivered to each subscriber once.
 * - job: a task, imperative (`notifications.send`), done by one worker, retried until done or dead-lettered.
 * - repeated work: what a plugin's process does again and again for itself, on each node.
 * - message: one MQTT publish of a device. verdict: what the plugin says of a message.
 * - channel: a stream of live values that clients watch (`orders/{orderId}/position`).
 *
 * What crosses the process boundary is JSON: timestamps from the database arrive as ISO 8601 strings,
 * `bigint` as decimal strings, `bytea` as base64.
 */
import type { QueryCacheOptions } from './plugin-api/cache.ts';
import type { Http } from './plugin-api/http.ts';
import type { Mail } from './plugin-api/mail.ts';
import type { Live, Mqtt } from './plugin-api/streams.ts';

export type * from './plugin-api/bodies.ts';
export type * from './plugin-api/cache.ts';
export type * from './plugin-api/http.ts';
export type * from './plugin-api/mail.ts';
export type * from './plugin-api/problem.ts';
export type * from './plugin-api/streams.ts';

export interface Plugin {
  /** Registers routes, handlers and workers. The plugin is ready when it resolves; it must within the boot deadline. */
  setup(ctx: PluginContext): void | Promise<void>;
  /** Called once before an orderly stop, after the last call has finished. */
  stop?(): void | Promise<void>;
}

export interface PluginContext {
  readonly plugin: { readonly name: string; readonly version: string };
  readonly http: Http;
  readonly db: Database;
  readonly jobs: Jobs;
  readonly events: Events;
  readonly mqtt: Mqtt;
  readonly live: Live;
  readonly mail: Mail;
  readonly cache: Cache;
  /** The granted environment variables and no others. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly permissions: Permissions;
  /**
   * Has `work` run at once and every `everyMs` (1,000 to 86,400,000) while this process lives, and so on each node: to show
   * a figure, say. What must be done, or once however many nodes run, is a job. One run at a time: while one takes longer,
   * the next is left out. What it throws is logged and counted under `name`, which is the plugin's own (`a-z0-9-`, at most
   * 40), and ends nothing. An orderly stop waits for a run, as for any handler. In `setup()`, at most 20.
   */
  readonly repeat: (name: string, options: RepeatOptions, work: (run: RepeatRun) => Promise<void>) => void;
  /**
   * The trace that the running handler belongs to, 32 hexadecimal digits, to be kept with what it writes: from an order's
   * history one then comes to its spans and log lines. An event's is the one in which it was published, a request's is its
   * id. Undefined outside of a handler, and so in `setup()`.
   */
  traceId(): string | undefined;
  /**
   * Names the running handler in its trace, to be kept with what it writes where a later request or message is to go on in
   * the same trace: `continueTrace()`. At most 55 characters; undefined outside of a handler.
   */
  traceparent(): string | undefined;
  /**
   * What `work` does through `ctx` belongs to the trace that was kept, and so does what follows from it: events, jobs,
   * messages. The trace of the request or message stays its own; the two link to each other. Nothing is different where
   * none was kept, or when it is the handler's own.
   */
  readonly continueTrace: <T>(traceparent: string | null, work: () => T) => T;
}

declare global {
  /** Of the plugin's global `fetch`, which the core carries out; it has the answer's head and body in one. */
  interface RequestInit {
    /** Reads no more of the answer's body than this: what lies beyond is cut off without a word. @default NET_RESPONSE_MAX_BYTES, and more is an error */
    readonly responseMaxBytes?: number;
  }
}

// db
export type SqlValue = string | number | boolean | null | readonly SqlValue[] | { readonly [key: string]: unknown };

/** One SQL statement. Its name appears in metrics and traces and prepares it on the server. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface QueryResult<Row> {
  readonly rows: readonly Row[];
  readonly rowCount: number;
}

export interface Queryable {
  query<Row = Record<string, unknown>>(statement: Statement, values?: readonly SqlValue[]): Promise<QueryResult<Row>>;
}

export interface Database extends Queryable {
  /**
   * As `query()`, outside of a transaction, but the result may be one that was kept (100 of the node, 2 minutes). It is
   * kept for this statement with these values: whatever it depends on must be among them. For statements that only read.
   */
  cached<Row = Record<string, unknown>>(
    statement: Statement,
    values: readonly SqlValue[],
    cache: QueryCacheOptions,
  ): Promise<QueryResult<Row>>;
  /** Commits when `work` resolves, rolls back when it throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}

export interface Transaction extends Queryable {
  /** Written in this transaction: published if it commits, and only then. */
  readonly events: Pick<Events, 'publish'>;
  readonly jobs: Pick<Jobs, 'send'>;
}

// jobs and events
export interface SendOptions {
  readonly startAfterSeconds?: number;
  /** At most one unfinished job of the queue with this key. */
  readonly singletonKey?: string;
  /** @default 5 */
  readonly retryLimit?: number;
}

export interface WorkOptions {
  /** Jobs of this queue handled at the same time by this plugin process. @default 4 */
  readonly concurrency?: number;
}

export interface Job<Data> {
  readonly id: string;
  readonly queue: string;
  readonly data: Data;
  readonly attempt: number;
  readonly signal: AbortSignal;
}

export interface Jobs {
  send(queue: string, data: object, options?: SendOptions): Promise<void>;
  /** A throw retries the job with exponential back-off; after the last attempt it goes to `<queue>.dead`. */
  work<Data = unknown>(queue: string, handler: (job: Job<Data>) => Promise<void>, options?: WorkOptions): void;
  /** Sends a job by a cron expression (five fields), once however many nodes run. */
  schedule(queue: string, cron: string, options?: { readonly timeZone?: string; readonly data?: object }): void;
}

export interface DomainEvent<Data> {
  /** The same for every delivery of this event. */
  readonly id: string;
  readonly name: string;
  readonly data: Data;
  readonly publishedBy: string;
  readonly publishedAt: string;
}

export interface SubscriptionOptions {
  /** Only events whose data has this member, and not null there. What is not delivered costs nothing. @default every event */
  readonly having?: string;
}

export interface Events {
  publish(event: string, data: object): Promise<void>;
  /** The handler's transaction also records the event's id, so a second delivery does nothing. */
  on<Data = unknown>(
    event: string,
    handler: (event: DomainEvent<Data>, tx: Transaction) => Promise<void>,
    options?: SubscriptionOptions,
  ): void;
}

// the rest
export interface RepeatOptions {
  readonly everyMs: number;
}

export interface RepeatRun {
  /** Aborted when the run takes longer than a job may (`JOB_TIMEOUT_MS`). */
  readonly signal: AbortSignal;
}

/** Bounded, in memory, this plugin's alone: a value may be gone at any time. */
export interface Cache {
  get<T = unknown>(key: string): Promise<T | undefined>;
  set(key: string, value: unknown, options?: { readonly ttlMs?: number }): Promise<void>;
  delete(key: string): Promise<void>;
}

export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Metrics declared in `plugin.json`; `plugin` is added as a label. */
export interface Metrics {
  increment(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  set(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
  observe(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
}

export type PermissionName =
  | 'http'
  | 'db'
  | 'jobs'
  | 'events'
  | 'mqtt'
  | 'live'
  | 'net'
  | 'mail'
  | 'env'
  | 'read'
  | 'write'
  | 'run'
  | 'ffi'
  | 'import'
  | 'sys';

export interface Permissions {
  /** `granted`, `denied`, or `prompt`: asked for, and neither granted nor denied yet. */
  query(permission: {
    readonly name: PermissionName;
    readonly resource: string;
  }): Promise<'granted' | 'denied' | 'prompt'>;
}
