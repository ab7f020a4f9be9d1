/** Part of the plugin API: routes, requests and replies. */
import type { Static, TSchema } from 'typebox';
import type { CacheOptions } from './cache.ts';
import type { BodyForm, BodyOf } from './bodies.ts';
import type { Problem } from './problem.ts';

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
  Form extends BodyForm = BodyForm,
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
  /** Of `'lines'` the schema of each line; of `'bytes'` there is none. */
  readonly body?: Body;
  /**
   * - `'text'`: the body is passed on as UTF-8 text whatever its content type, '' when there is none.
   * - `'bytes'`: a file, as a `Uint8Array`. It reaches the plugin in pieces, so that it may be larger than a frame.
   * - `'lines'`: NDJSON. The handler is called at once and reads the lines while they arrive; with a stream it can answer
   *   meanwhile. What does not match the schema is handed over as a problem, for a line must not cost the others.
   *
   * @default 'json'
   */
  readonly bodyAs?: Form;
  /** Of `'bytes'`, where it is required: content types that are taken; what the bytes are is for the plugin to find out. */
  readonly contentTypes?: readonly string[];
  /** Of `'bytes'`. @default HTTP_UPLOAD_MAX_BYTES, which it cannot exceed */
  readonly bodyMaxBytes?: number;
  /** A schema for each success status. Errors are problem details (RFC 9457) and need none. */
  readonly response: Readonly<Record<number, TSchema>>;
  /** Content types of this route's streams, such as `application/geo+json`. @default it answers no stream */
  readonly streams?: readonly string[];
  /** Of a GET: its answers may be kept. @default they are not */
  readonly cache?: RouteCacheOptions;
  /**
   * Whether the core does a POST once for each `Idempotency-Key` and repeats its answer, which it keeps for a day. `'own'`
   * where the handler sees to it, since what it answers may lie in no table: the core describes the header and checks its
   * form. False where a repetition does no harm. A handler that creates something gives it `request.newId()` in any case:
   * the core may end between the handler's commit and keeping the answer, and then the handler is run again.
   * @default true for a POST with roles, unless it has `streams` or answers a `password`, `secret` or `token`
   */
  readonly idempotency?: boolean | 'own';
  /**
   * The handler compares `If-Match` with the `ETag` that it answers, and refuses with 412 to change what is another version
   * by now. The API's description says so; other routes are not given the header. @default false
   */
  readonly ifMatch?: boolean;
  /** Requests of one principal to this route in a minute, beside the limits of all routes. @default no limit of its own */
  readonly requestsPerMinute?: number;
  /**
   * Each success takes one of the calling partner's budget of the day of this name; of a body of lines each valid line does,
   * and comes as a problem when nothing is left. @default none
   */
  readonly budget?: 'orders';
}

/**
 * Answers with status 200 are kept (500 of the node, 5 minutes), each for one principal, its parameters and its query
 * alone. Streams, problems, and answers with a `cache-control` of their own are not.
 */
export interface RouteCacheOptions extends CacheOptions {
  /**
   * The parameter, of path or query, that says what an answer is about, such as `orderId`: an event whose data names
   * another `orderId` leaves it alone. It ends in `Id`. @default an event removes all answers of the route
   */
  readonly keyedBy?: string;
  /** Request headers that the answer depends on, in lower case. The handler is given no others. @default none */
  readonly varyBy?: readonly string[];
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
  /**
   * A UUID for what this request makes: the same for each repetition with its `Idempotency-Key` by the same caller, so that
   * one after a crash finds what the first one made; another at each call without a key, or without a caller's name.
   */
  readonly newId: () => string;
  /** Aborted when the client goes away or the deadline passes; with a stream, until its end. */
  readonly signal: AbortSignal;
}

/**
 * An answer in pieces, for what is too large for one frame. The core asks for a piece when the client has taken the ones
 * before it; each has the deadline of a call. When the client goes away the iterator's `return()` is called, so `finally`
 * blocks run. A throw cuts the response off: the client sees that it is incomplete.
 */
export interface StreamReply {
  readonly status: number;
  /** Pieces of some 64 KiB are best: larger ones are cut up, and each small one costs a call. */
  readonly stream: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;
  /** One of the route's `streams`. Text is sent as UTF-8, bytes as they are. */
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type HttpReply =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | StreamReply
  | { readonly problem: Problem; readonly headers?: Readonly<Record<string, string>> };

export type RouteHandler<P extends TSchema, Q extends TSchema, B extends TSchema, F extends BodyForm = 'json'> = (
  request: HttpRequest<Static<P>, Static<Q>, BodyOf<F, Static<B>>>,
) => HttpReply | Promise<HttpReply>;

export type RegisterRoute = <P extends TSchema, Q extends TSchema, B extends TSchema, F extends BodyForm = 'json'>(
  path: string,
  options: RouteOptions<P, Q, B, F>,
  handler: RouteHandler<P, Q, B, F>,
) => void;

/** Paths use `{name}` for parameters: `/orders/{orderId}`. */
export interface Http {
  readonly get: RegisterRoute;
  readonly post: RegisterRoute;
  readonly put: RegisterRoute;
  readonly patch: RegisterRoute;
  readonly delete: RegisterRoute;
}
