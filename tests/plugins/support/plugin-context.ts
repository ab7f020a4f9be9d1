import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import type {
  Database,
  DomainEvent,
  HttpReply,
  HttpRequest,
  Job,
  MqttMessage,
  Plugin,
  PluginContext,
  Principal,
  Role,
  SubscriptionOptions,
  Verdict,
  WatchDecision,
} from '#plugin-api';
import { compileSchema, type SchemaCheck } from '#core/http/schema-compiler.ts';
import { assertSafeSchema } from '#core/http/schema-policy.ts';
import { newIdOf } from '#core/plugin-host/child/context/new-id.ts';
import { toEvent } from './database-adapter.ts';

type RouteOptions = Parameters<PluginContext['http']['get']>[1];

interface Route {
  readonly options: RouteOptions;
  readonly inputs: readonly (readonly ['params' | 'query' | 'body', SchemaCheck])[];
  readonly replies: ReadonlyMap<number, SchemaCheck>;
  readonly handler: (request: HttpRequest) => HttpReply | Promise<HttpReply>;
}

/** The schemas as the core takes them: as JSON, and only when they are safe. */
function toRoute(name: string, options: RouteOptions, handler: Route['handler']): Route {
  const compile = (schema: unknown): SchemaCheck => {
    const json: unknown = JSON.parse(JSON.stringify(schema));
    assertSafeSchema(json, name);
    return compileSchema(json, name);
  };
  return {
    options,
    handler,
    inputs: (['params', 'query', 'body'] as const).flatMap((part) =>
      options[part] === undefined || (part === 'body' && options.bodyAs === 'lines')
        ? []
        : [[part, compile(options[part])] as const],
    ),
    replies: new Map(Object.entries(options.response).map(([status, schema]) => [Number(status), compile(schema)])),
  };
}

type Subscriber = (messages: readonly MqttMessage[]) => Promise<readonly Verdict[]>;
type Watch = (watch: { principal: Principal; params: Record<string, string>; link?: string }) => Promise<WatchDecision>;
type EventHandler = Parameters<PluginContext['events']['on']>[1];
type RepeatedWork = Parameters<PluginContext['repeat']>[2];
type JobHandler = (job: Job<unknown>) => Promise<void>;

/** Of every event that is delivered; a request's is its id. */
export const eventTrace = 'e'.repeat(32);

/** Everything that a plugin did beside its database. */
export interface Recorded {
  readonly logs: { level: string; message: string; fields: unknown }[];
  readonly metrics: { name: string; labels: Record<string, string>; by: number }[];
  readonly gauges: { name: string; labels: Record<string, string>; value: number }[];
  readonly observed: { name: string; labels: Record<string, string>; value: number }[];
  readonly live: { channel: string; data?: object; version?: number | undefined; closed?: string; revoked?: string }[];
  readonly published: { name: string; data: object }[];
  readonly credentials: { username: string; publish: readonly string[]; subscribe?: readonly string[] }[];
  readonly messages: { topic: string; payload: unknown; options: unknown }[];
  readonly revoked: string[];
}

export interface RunningPlugin {
  readonly recorded: Recorded;
  readonly queues: readonly string[];
  /** When a queue's job comes by itself, in cron's form. */
  readonly schedules: ReadonlyMap<string, string>;
  /** Whether the platform delivers such an event. */
  wants(event: string, data: object): boolean;
  request(route: string, request: Partial<HttpRequest>): Promise<Reply>;
  deliver(event: string, data: object, id?: string, publishedAt?: string): Promise<void>;
  work(queue: string, data: object, attempt?: number): Promise<void>;
  /** One run of what the plugin repeats under this name. */
  repeat(name: string): Promise<void>;
  receive(filter: string, messages: readonly MqttMessage[]): Promise<readonly Verdict[]>;
  watch(pattern: string, principal: Principal, params: Record<string, string>, link?: string): Promise<WatchDecision>;
  counted(name: string, labels: Record<string, string>): number;
  /** What a gauge was last set to. */
  shown(name: string, labels?: Record<string, string>): number | undefined;
}

export interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly code?: string;
  /** Of a stream. */
  readonly text?: string;
  readonly bytes?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A plugin that is set up with a real database and a recording everything else. */
export async function runPlugin(
  plugin: Plugin,
  db: Database,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningPlugin> {
  const routes = new Map<string, Route>();
  const events = new Map<string, EventHandler>();
  const wanted = new Map<string, string>();
  const workers = new Map<string, JobHandler>();
  const schedules = new Map<string, string>();
  const repeated = new Map<string, RepeatedWork>();
  const subscribers = new Map<string, Subscriber>();
  const channels = new Map<string, Watch>();
  const traces = new AsyncLocalStorage<string>();
  const recorded: Recorded = {
    logs: [],
    metrics: [],
    gauges: [],
    observed: [],
    live: [],
    published: [],
    credentials: [],
    messages: [],
    revoked: [],
  };
  const route = (verb: string) => (path: string, options: unknown, handler: unknown) =>
    void routes.set(
      `${verb} ${path}`,
      toRoute(`${verb} ${path}`, options as RouteOptions, handler as Route['handler']),
    );
  const log = (level: string) => (message: string, fields?: unknown) =>
    void recorded.logs.push({ level, message, fields });

  const ctx = {
    plugin: { name: 'tested', version: '1.0.0' },
    http: { get: route('GET'), post: route('POST'), put: route('PUT'), patch: route('PATCH'), delete: route('DELETE') },
    db,
    env,
    traceId: () => traces.getStore(),
    traceparent: () => traces.getStore() && `00-${traces.getStore()}-${'1'.repeat(16)}-01`,
    continueTrace<T>(traceparent: string | null, work: () => T): T {
      const [, traceId] = traceparent?.split('-') ?? [];
      return traceId === undefined ? work() : traces.run(traceId, work);
    },
    repeat: (name: string, _options: unknown, work: RepeatedWork) => void repeated.set(name, work),
    permissions: { query: () => Promise.resolve('granted') },
    mail: { isConfigured: () => Promise.resolve(false) },
    jobs: {
      send: () => Promise.resolve(),
      work: (queue: string, handler: JobHandler) => void workers.set(queue, handler),
      schedule: (queue: string, cron: string) => void schedules.set(queue, cron),
    },
    events: {
      publish: (name: string, data: object) => Promise.resolve(void recorded.published.push({ name, data })),
      on(name: string, handler: EventHandler, { having }: SubscriptionOptions = {}) {
        events.set(name, handler);
        if (having !== undefined) wanted.set(name, having);
      },
    },
    mqtt: {
      subscribe: (filter: string, _options: unknown, handler: Subscriber) => void subscribers.set(filter, handler),
      publish: (topic: string, payload: unknown, options: unknown) =>
        Promise.resolve(void recorded.messages.push({ topic, payload, options })),
      issueCredentials(device: Recorded['credentials'][number]) {
        recorded.credentials.push(device);
        return Promise.resolve({ username: device.username, password: 'shown-once' });
      },
      revokeCredentials: (username: string) => Promise.resolve(void recorded.revoked.push(username)),
    },
    live: {
      channel: (pattern: string, handler: Watch) => void channels.set(pattern, handler),
      publish: (channel: string, data: object, options?: { version?: number }) =>
        Promise.resolve(void recorded.live.push({ channel, data, version: options?.version })),
      close: (channel: string, reason: string) => Promise.resolve(void recorded.live.push({ channel, closed: reason })),
      issueLink: (channel: string, link: { id: string; expiresInSeconds: number }) =>
        Promise.resolve({
          token: `link ${link.id} to ${channel}`,
          expiresAt: new Date(Date.now() + link.expiresInSeconds * 1000).toISOString(),
        }),
      revokeLink: (channel: string, id: string) => Promise.resolve(void recorded.live.push({ channel, revoked: id })),
    },
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    metrics: {
      increment: (name: string, labels: Record<string, string> = {}, by = 1) =>
        void recorded.metrics.push({ name, labels, by }),
      set: (name: string, value: number, labels: Record<string, string> = {}) =>
        void recorded.gauges.push({ name, labels, value }),
      observe: (name: string, value: number, labels: Record<string, string> = {}) =>
        void recorded.observed.push({ name, labels, value }),
    },
  };
  await plugin.setup(ctx as unknown as PluginContext);

  const get = <T>(map: ReadonlyMap<string, T>, key: string): T => {
    const found = map.get(key);
    assert.ok(found, `the plugin registered no '${key}': it has ${[...map.keys()].join(', ')}`);
    return found;
  };
  return {
    recorded,
    queues: [...workers.keys()],
    schedules,
    wants(name, data) {
      const having = wanted.get(name);
      return events.has(name) && (having === undefined || (Reflect.get(data, having) ?? null) !== null);
    },
    async request(key, request) {
      const { options, inputs, replies, handler } = get(routes, key);
      const { signal } = new AbortController();
      const asked = { params: {}, query: {}, headers: {}, id: 'r', signal, ...request } as HttpRequest;
      const [verb = '', template = ''] = key.split(' ');
      const full: HttpRequest = { ...asked, newId: () => newIdOf(asked, verb, template) };
      assert.ok(
        options.roles === 'public' || options.roles.includes(full.principal.role as Role),
        `${key} is not for them`,
      );
      for (const [part, check] of inputs) {
        if (!check.matches(full[part])) return { status: 422, code: 'VALIDATION_FAILED', body: { part } };
      }
      const reply = await traces.run(full.id, () => handler(full));
      if ('stream' in reply) {
        assert.ok(options.streams?.includes(reply.contentType), `${key} streams ${reply.contentType}`);
        const pieces: Buffer[] = [];
        for await (const piece of reply.stream) pieces.push(Buffer.from(piece as string));
        const bytes = Buffer.concat(pieces);
        return { status: reply.status, body: {}, text: String(bytes), bytes, headers: reply.headers ?? {} };
      }
      if ('problem' in reply) {
        const { problem, headers = {} } = reply;
        return { status: problem.status, code: problem.code, body: problem, headers };
      }
      const body = JSON.parse(JSON.stringify(reply.body ?? null)) as Record<string, unknown>;
      const check = replies.get(reply.status);
      assert.ok(check?.matches(body), `${key} answers ${reply.status} ${JSON.stringify(check?.explain(body))}`);
      return { status: reply.status, body, headers: reply.headers ?? {} };
    },
    deliver(name, data, id, publishedAt) {
      const event = toEvent(name, data, id, publishedAt) as DomainEvent<never>;
      return traces.run(eventTrace, () => db.transaction((tx) => get(events, name)(event, tx)));
    },
    work: (queue, data, attempt = 1) =>
      get(workers, queue)({ id: 'j', queue, data, attempt, signal: new AbortController().signal }),
    repeat: (name) => get(repeated, name)({ signal: new AbortController().signal }),
    receive: (filter, messages) => get(subscribers, filter)(messages),
    watch: (pattern, principal, params, link) =>
      get(channels, pattern)({ principal, params, ...(link === undefined ? {} : { link }) }),
    counted: (name, labels) =>
      recorded.metrics.filter((entry) => isOf(entry, name, labels)).reduce((sum, { by }) => sum + by, 0),
    shown: (name, labels = {}) => recorded.gauges.findLast((entry) => isOf(entry, name, labels))?.value,
  };
}

function isOf(entry: Recorded['gauges' | 'metrics'][number], name: string, labels: Record<string, string>): boolean {
  return entry.name === name && Object.entries(labels).every(([label, value]) => entry.labels[label] === value);
}
