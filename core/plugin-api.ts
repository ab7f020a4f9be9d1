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
 * - message: one MQTT publish of a device. verdict: what the plugin says of a message.
 * - channel: a stream of live values that clients watch (`orders/{orderId}/position`).
 *
 * What crosses the process boundary is JSON: timestamps from the database arrive as ISO 8601 strings,
 * `bigint` as decimal strings, `bytea` as base64.
 */
import type { Static, TSchema } from 'typebox';

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
  readonly cache: Cache;
  /** The granted environment variables and no others. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly permissions: Permissions;
}

// http
export type Role = 'customer' | 'driver' | 'partner' | 'ops';

export interface Principal {
  /** The token's `sub`: a customer's, driver's, partner's or operator's id. A device's: the user name of its credentials. */
  readonly id: string;
  readonly role: Role | 'device' | 'anonymous';
  /** Of a device alone: the topics that its credentials let it publish to. They say for whom it may speak, here as over MQTT. */
  readonly publish?: readonly string[];
}

export interface RouteOptions<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
> {
  readonly summary: string;
  /**
   * Who may call it. `'public'` must also stand in the manifest's `http.public`. `'device'`: whoever has the credentials
   * of `mqtt.issueCredentials`, sent by HTTP Basic; tokens are not taken there.
   */
  readonly roles: readonly Role[] | 'public' | 'device';
  /** For apps that can be given nothing but a URL: the credentials may also stand in the query, as `username` and `password`. They are not passed on. @default false */
  readonly credentialsInQuery?: boolean;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** `'text'`: the body is passed on as UTF-8 text whatever its content type, '' when there is none. @default 'json' */
  readonly bodyAs?: 'json' | 'text';
  /** A schema for each success status. Errors are problem details (RFC 9457) and need none. */
  readonly response: Readonly<Record<number, TSchema>>;
  /** Content types of this route's streams, such as `application/geo+json`. @default it answers no stream */
  readonly streams?: readonly string[];
}

export interface HttpRequest<Params = unknown, Query = unknown, Body = unknown> {
  /** The caller. A public route without a token gets the principal `{ id: 'anonymous', role: 'anonymous' }`. */
  readonly principal: Principal;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Lower-case names. `authorization` and `cookie` are never passed on. */
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string;
  /** Aborted when the client goes away or the deadline passes; with a stream, until its end. */
  readonly signal: AbortSignal;
}

/** RFC 9457 problem details. `code` is stable and documented; `detail` says what was wrong and what would be right. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly [extension: string]: unknown;
}

/**
 * An answer in pieces, for what is too large for one frame. The core asks for a piece when the client has taken the ones
 * before it; each has the deadline of a call. When the client goes away the iterator's `return()` is called, so `finally`
 * blocks run. A throw cuts the response off: the client sees that it is incomplete.
 */
export interface StreamReply {
  readonly status: number;
  /** Pieces of some 64 KiB are best: larger ones are cut up, and each small one costs a call. */
  readonly stream: Iterable<string> | AsyncIterable<string>;
  /** One of the route's `streams`; it is sent as UTF-8. */
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type HttpReply =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | StreamReply
  | { readonly problem: Problem };

export type RouteHandler<P extends TSchema, Q extends TSchema, B extends TSchema> = (
  request: HttpRequest<Static<P>, Static<Q>, Static<B>>,
) => HttpReply | Promise<HttpReply>;

export type RegisterRoute = <P extends TSchema, Q extends TSchema, B extends TSchema>(
  path: string,
  options: RouteOptions<P, Q, B>,
  handler: RouteHandler<P, Q, B>,
) => void;

/** Paths use `{name}` for parameters: `/orders/{orderId}`. */
export interface Http {
  readonly get: RegisterRoute;
  readonly post: RegisterRoute;
  readonly put: RegisterRoute;
  readonly patch: RegisterRoute;
  readonly delete: RegisterRoute;
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

export interface Events {
  publish(event: string, data: object): Promise<void>;
  /** The handler's transaction also records the event's id, so a second delivery does nothing. */
  on<Data = unknown>(event: string, handler: (event: DomainEvent<Data>, tx: Transaction) => Promise<void>): void;
}

// mqtt
export interface MqttMessage {
  readonly topic: string;
  /** UTF-8 text. A payload that is not is refused before the plugin sees it, unless it asked to (`refused`). */
  readonly payload: string;
  /**
   * Set on what cannot be handed over as a message, for a subscription with `handOverRefused`. Then `payload` is the
   * first 8 KiB in base64, and the verdict says no more than that it was noted.
   */
  readonly refused?: { readonly reason: 'encoding' | 'too-large'; readonly payloadBytes: number };
  /** The broker's user that published it; null when an external broker does not tell. */
  readonly username: string | null;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly retained: boolean;
  readonly duplicate: boolean;
}

/** `accepted` and `rejected` are acknowledged; when the handler throws, the batch is not, and comes again. */
export type Verdict = 'accepted' | { readonly rejected: string };

export interface SubscribeOptions {
  /** @default 500 */
  readonly batchSizeMax?: number;
  /** @default 20 */
  readonly batchWaitMs?: number;
  /** Hands over also what is no message: not UTF-8, or larger than a frame carries. @default false */
  readonly handOverRefused?: boolean;
}

export interface DeviceCredentials {
  readonly username: string;
  /** Shown once; the core stores a hash. */
  readonly password: string;
}

export interface Mqtt {
  /** The handler answers one verdict per message, in order; only then are they acknowledged. */
  subscribe(
    filter: string,
    options: SubscribeOptions,
    handler: (messages: readonly MqttMessage[]) => Promise<readonly Verdict[]>,
  ): void;
  publish(
    topic: string,
    payload: object | string,
    options?: { readonly qos?: 0 | 1; readonly retain?: boolean },
  ): Promise<void>;
  /** Creates or replaces the credentials of a device, which may then publish and subscribe to these filters alone. */
  issueCredentials(device: {
    readonly username: string;
    readonly publish: readonly string[];
    readonly subscribe?: readonly string[];
  }): Promise<DeviceCredentials>;
  /** Disconnects the device at once. */
  revokeCredentials(username: string): Promise<void>;
}

// live
export type WatchDecision =
  | { readonly allowed: true; readonly snapshot?: object; readonly version?: number }
  | { readonly allowed: false; readonly reason: string };

export interface Live {
  /** Declares channels such as `orders/{orderId}/position`; `authorize` decides for each client that wants to watch one. */
  channel(
    pattern: string,
    authorize: (watch: {
      readonly principal: Principal;
      readonly params: Readonly<Record<string, string>>;
      /** The id of the share link that was shown; the principal is anonymous then. */
      readonly link?: string;
    }) => Promise<WatchDecision>,
  ): void;
  /** `version` (a fix time in ms, say) makes the channel move only forward: a value with a version not above the newest is dropped. */
  publish(channel: string, data: object, options?: { readonly version?: number }): Promise<void>;
  /** Ends the stream for everybody who watches it. */
  close(channel: string, reason: string): Promise<void>;
  /** Asks `authorize` again for everybody who watches it: for who may no longer, the stream ends. */
  recheck(channel: string): Promise<void>;
  /**
   * A token that opens this channel and nothing else, for who has no account. `authorize` is asked with its id as `link`,
   * each time: the plugin keeps which ids it has revoked, and calls `recheck` when it revokes one.
   */
  issueLink(channel: string, link: { readonly id: string; readonly expiresInSeconds: number }): Promise<ShareLink>;
}

export interface ShareLink {
  /** Sent as a bearer token to `/live`; whoever has it may watch. */
  readonly token: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

// the rest
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
