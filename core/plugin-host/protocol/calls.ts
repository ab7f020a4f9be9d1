/**
 * Every call that a plugin's thread can make of the core: method, arguments, result. The one interface both sides are
 * typed from. The core still checks each call against the method's JSON Schema: these types say nothing of a hostile sender.
 */
import type { BodyPiece } from '#core/http/body/body-stream.ts';
import type {
  BodyForm,
  DeviceCredentials,
  DomainEvent,
  HttpReply,
  MqttMessage,
  PermissionName,
  QueryCacheOptions,
  RouteCacheOptions,
  Principal,
  ShareLink,
  SendOptions,
  Statement,
  SqlValue,
  StreamReply,
  Verdict,
  WatchDecision,
} from '#plugin-api';

export interface PluginCalls {
  /** After `setup()`: all registrations are made, the plugin is ready. */
  'plugin.ready': { args: Record<string, never>; result: null };
  'http.route': {
    args: {
      verb: 'get' | 'post' | 'put' | 'patch' | 'delete';
      path: string;
      summary: string;
      roles: readonly string[] | 'public' | 'device';
      credentialsInQuery?: boolean;
      params?: object;
      query?: object;
      body?: object;
      bodyAs?: BodyForm;
      contentTypes?: readonly string[];
      bodyMaxBytes?: number;
      response: Readonly<Record<string, object>>;
      handler: number;
      /** Content types of streams, and the handler that is asked for their pieces. */
      streams?: { contentTypes: readonly string[]; handler: number };
      cache?: RouteCacheOptions;
      idempotency?: boolean | 'own';
      ifMatch?: boolean;
      requestsPerMinute?: number;
      budget?: 'orders';
    };
    result: null;
  };
  /** The next piece of a body that a request brought under this number. */
  'http.read': { args: { body: number }; result: BodyPiece };
  /** `tx` names a transaction of this process opened with `db.begin`, or one handed to an event handler. */
  'db.query': {
    args: { statement: Statement; values: readonly SqlValue[]; tx?: string; cache?: QueryCacheOptions };
    result: { rows: readonly unknown[]; rowCount: number };
  };
  'db.begin': { args: Record<string, never>; result: { tx: string } };
  'db.commit': { args: { tx: string }; result: null };
  'db.rollback': { args: { tx: string }; result: null };
  'jobs.send': { args: { queue: string; data: object; options: SendOptions; tx?: string }; result: null };
  'jobs.work': { args: { queue: string; concurrency: number; handler: number }; result: null };
  'jobs.schedule': { args: { queue: string; cron: string; timeZone: string; data: object }; result: null };
  'events.publish': { args: { event: string; data: object; tx?: string }; result: null };
  'events.on': { args: { event: string; handler: number }; result: null };
  'mqtt.subscribe': {
    args: {
      filter: string;
      batchSizeMax: number;
      batchWaitMs: number;
      batchesMax?: number;
      handOverRefused?: boolean;
      handler: number;
    };
    result: null;
  };
  'mqtt.publish': {
    args: { topic: string; payload: string; qos: 0 | 1; retain: boolean; expirySeconds?: number };
    result: null;
  };
  'mqtt.issueCredentials': {
    args: { username: string; publish: readonly string[]; subscribe: readonly string[] };
    result: DeviceCredentials;
  };
  'mqtt.revokeCredentials': { args: { username: string }; result: null };
  'live.channel': { args: { pattern: string; handler: number }; result: null };
  'live.publish': { args: { channel: string; data: object; version?: number }; result: null };
  'live.close': { args: { channel: string; reason: string }; result: null };
  'live.revokeLink': { args: { channel: string; id: string }; result: null };
  'live.issueLink': { args: { channel: string; id: string; expiresInSeconds: number }; result: ShareLink };
  'cache.get': { args: { key: string }; result: { value?: unknown } };
  'cache.set': { args: { key: string; value: unknown; ttlMs?: number }; result: null };
  'cache.delete': { args: { key: string }; result: null };
  /** Bodies as base64; redirects are followed by the core, each hop checked. */
  'net.fetch': {
    args: {
      url: string;
      method: string;
      headers: readonly (readonly [string, string])[];
      body?: string;
      redirect: 'follow' | 'error' | 'manual';
      /** Where the answer's body is cut off. */
      responseMaxBytes?: number;
    };
    result: {
      status: number;
      statusText: string;
      url: string;
      redirected: boolean;
      headers: readonly (readonly [string, string])[];
      body: string;
    };
  };
  'mail.send': {
    args: {
      to: string;
      subject: string;
      text: string;
      html?: string;
      messageId: string;
      headers: readonly (readonly [string, string])[];
    };
    result: { messageId: string };
  };
  'mail.configured': { args: Record<string, never>; result: { configured: boolean } };
  'repeat.start': { args: { name: string; everyMs: number; handler: number }; result: null };
  'permissions.query': {
    args: { name: PermissionName; resource: string };
    result: { state: 'granted' | 'denied' | 'prompt' };
  };
}

/** One-way calls. */
export interface PluginNotes {
  'log.write': {
    level: 'debug' | 'info' | 'warn' | 'error';
    message: string;
    fields: Readonly<Record<string, unknown>>;
  };
  'metrics.record': {
    kind: 'increment' | 'set' | 'observe';
    name: string;
    value: number;
    labels: Readonly<Record<string, string>>;
  };
}

/** A reply whose body is fetched piece by piece: `stream` names it to the process that answered. */
export type StreamHead = Omit<StreamReply, 'stream'> & { readonly stream: number };

/** Without bytes, and not done: the plugin waits for the client's body. */
export interface StreamPiece {
  /** Base64. */
  readonly bytes: string;
  readonly done: boolean;
}

/** What the core hands to a handler, by the way it was registered; and what the handler answers. */
export interface HandlerCalls {
  'http.route': {
    input: {
      principal: Principal;
      params: unknown;
      query: unknown;
      /** Of bytes and lines the number under which they are fetched. */
      body: unknown;
      headers: Readonly<Record<string, string>>;
      id: string;
    };
    result: Exclude<HttpReply, StreamReply> | StreamHead;
  };
  /** The next piece of a stream, or its end before it is complete. */
  'http.stream': {
    input: { stream: number; end?: true };
    result: StreamPiece;
  };
  'jobs.work': { input: { id: string; queue: string; data: unknown; attempt: number }; result: null };
  /** `tx` is open while the handler runs; the core commits it when the handler resolves. */
  'events.on': { input: { event: DomainEvent<unknown>; tx: string }; result: null };
  'mqtt.subscribe': { input: { messages: readonly MqttMessage[] }; result: { verdicts: readonly Verdict[] } };
  'repeat.start': { input: Record<string, never>; result: null };
  'live.channel': {
    input: { principal: Principal; params: Readonly<Record<string, string>>; link?: string };
    result: WatchDecision;
  };
}
