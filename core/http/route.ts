import type { IncomingHttpHeaders } from 'node:http';
import type { BodyForm, Principal, Role, RouteCacheOptions } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { BodyStream } from './body/body-stream.ts';
import type { BudgetName } from './limits/budget-name.ts';
import type { RequestKind } from './request-kind.ts';
import { parseRoutePath, type RoutePath } from './route-path.ts';
import { compileSchema, type SchemaCheck } from './schema-compiler.ts';
import { normalizeSchema } from './schema-normal-form.ts';
import { assertSafeSchema } from './schema-policy.ts';
import { compileCoercion, type Coerce } from './text-coercion.ts';

export type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Who registered a route. A plugin's restart is another owner of the same name. */
export interface RouteOwner {
  /** The plugin's name; `core` for the core's own pages. */
  readonly name: string;
  readonly id: string;
  /** Aborted when the process that answers is gone. */
  readonly gone?: AbortSignal;
  /** Why it does not come back by itself, asked when the process is gone; undefined when it does. */
  readonly outage?: () => Outage | undefined;
}

/** What clients are told of routes that nobody answers. */
export interface Outage {
  readonly detail: string;
  readonly retryAfterSeconds: number;
}

/** A request that passed authentication and validation. */
export interface RouteRequest {
  readonly principal: Principal;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  /** Instead of `body`, where it is read while the request is answered. */
  readonly upload?: BodyStream | undefined;
  /** All of them; what a plugin may see is for `plugin-request.ts` to choose. */
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  /** Of an API key alone: what it may. */
  readonly scopes?: readonly string[] | undefined;
  /** The trace id: the same in the log, in the trace and in problem details. */
  readonly id: string;
  readonly signal: AbortSignal;
}

/** A body that is fetched while it is sent. */
export interface ResponseStream {
  /** The next piece; undefined when the body is complete. @throws {AppError} when it cannot be completed */
  next(): Promise<string | Uint8Array | undefined>;
  /** Nobody asks for more. */
  end(): void;
}

/** What goes out: the text is complete, nothing serializes it again. */
export interface RouteResponse {
  readonly status: number;
  readonly text?: string;
  /** Instead of a text. */
  readonly stream?: ResponseStream;
  /** @default 'application/json; charset=utf-8' */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `device`: by a device's credentials, and by no token. */
export type RouteRoles = readonly Role[] | 'public' | 'device';

/** A body that is read while the request is answered. */
export type UploadForm =
  | { readonly as: 'bytes'; readonly contentTypes: readonly string[]; readonly bytesMax: number }
  | { readonly as: 'lines'; readonly contentTypes: readonly string[]; readonly check: SchemaCheck };

export interface RouteDefinition {
  readonly verb: Verb;
  readonly path: string;
  readonly owner: RouteOwner;
  readonly summary: string;
  readonly roles: RouteRoles;
  /** Of a device's route: the credentials may also stand in the query. @default false */
  readonly credentialsInQuery?: boolean;
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
  /** @default 'json' */
  readonly bodyAs?: BodyForm;
  /** Of bytes. */
  readonly contentTypes?: readonly string[] | undefined;
  readonly bodyMaxBytes?: number;
  /** A schema for each success status; the core's own pages have none. */
  readonly response?: Readonly<Record<string, unknown>>;
  /** Instead, of the core's own pages: what a 200 has, by content type. */
  readonly content?: Readonly<Record<string, object>>;
  /** Content types that a plugin may stream. */
  readonly streams?: readonly string[] | undefined;
  /** Of a GET: its answers may be kept. */
  readonly cache?: RouteCacheOptions | undefined;
  /**
   * Whether the header `Idempotency-Key` is taken, and by whom: `own` by the handler. @default by the core of a plugin's
   * POST for roles, unless it streams or answers a secret
   */
  readonly idempotency?: boolean | 'own' | undefined;
  /** It compares `If-Match` with the version of what it changes. @default false */
  readonly ifMatch?: boolean | undefined;
  /** For each principal, beside the limits of all routes. @default none */
  readonly requestsPerMinute?: number | undefined;
  /** What each success takes one of, where a partner calls. @default nothing */
  readonly budget?: BudgetName | undefined;
  readonly run: (request: RouteRequest, route: Route) => Promise<RouteResponse> | RouteResponse;
}

export interface Route {
  readonly verb: Verb;
  readonly path: RoutePath;
  /** `GET /orders/{orderId}`: the name of the span, in logs and messages. */
  readonly name: string;
  readonly owner: RouteOwner;
  readonly summary: string;
  readonly roles: RouteRoles;
  readonly credentialsInQuery: boolean;
  readonly params: SchemaCheck | undefined;
  readonly query: SchemaCheck | undefined;
  readonly body: SchemaCheck | undefined;
  readonly bodyAs: BodyForm;
  readonly upload: UploadForm | undefined;
  readonly response: ReadonlyMap<number, SchemaCheck>;
  readonly content: RouteDefinition['content'];
  readonly streams: readonly string[];
  readonly cache: RouteCacheOptions | undefined;
  /** Who sees to it that a request with an `Idempotency-Key` is done once. */
  readonly idempotency: 'core' | 'own' | undefined;
  readonly ifMatch: boolean;
  readonly requestsPerMinute: number | undefined;
  readonly budget: BudgetName | undefined;
  /** The first segment of the path: what scopes of API keys name. */
  readonly group: string;
  readonly coerceParams: Coerce | undefined;
  readonly coerceQuery: Coerce | undefined;
  readonly run: RouteDefinition['run'];
  /** Problems that the plugin has answered here, by code. */
  readonly problems: Map<string, { readonly status: number; readonly title: string }>;
  /** What telemetry calls its requests, by method. */
  readonly requestKinds: Map<string, RequestKind>;
}

const summaryLengthMax = 200;
const responsesMax = 16;

/** Compiles everything that a request will need. @throws {AppError} INVALID_CALL, INVALID_SCHEMA */
export function createRoute(definition: RouteDefinition): Route {
  const path = parseRoutePath(definition.path);
  const name = `${definition.verb} ${path.template}`;
  if (definition.summary.length > summaryLengthMax)
    refuse(name, `its summary must have at most ${summaryLengthMax} characters`);
  assertBody(name, definition);
  if (definition.roles.length === 0) refuse(name, `'roles' must name at least one role, or be 'public' or 'device'`);
  if (definition.credentialsInQuery === true && definition.roles !== 'device')
    refuse(name, `'credentialsInQuery' is for routes with roles 'device'`);
  const params = compileRequestSchema(definition.params, `${name} params`);
  const query = compileRequestSchema(definition.query, `${name} query`);
  const body = compileRequestSchema(definition.body, `${name} body`);
  const upload = toUpload(definition, body);
  assertParameterNames(name, path, params);
  assertCache(name, definition, [params, query]);
  return {
    verb: definition.verb,
    path,
    name,
    owner: definition.owner,
    summary: definition.summary,
    roles: definition.roles,
    credentialsInQuery: definition.credentialsInQuery ?? false,
    params,
    query,
    body: upload === undefined ? body : undefined,
    bodyAs: definition.bodyAs ?? 'json',
    upload,
    response: compileResponses(name, definition.response ?? {}),
    content: definition.content,
    streams: definition.streams ?? [],
    cache: definition.cache,
    idempotency: whoTakesKeys(definition),
    ifMatch: definition.ifMatch ?? false,
    requestsPerMinute: definition.requestsPerMinute,
    budget: definition.budget,
    group: path.template.split('/', 2)[1] ?? '',
    coerceParams: compileCoercion(params?.schema),
    coerceQuery: compileCoercion(query?.schema),
    run: definition.run,
    problems: new Map(),
    requestKinds: new Map(),
  };
}

/** Members of answers that are told once and stored nowhere. */
const secretMember = /"(?:password|secret|token)":/;

/**
 * The core's own routes say so themselves. An answer in pieces is not kept, and a body in pieces is not compared: such a
 * route sees to repetitions itself. Nor is an answer with a secret, unless its route insists.
 */
function whoTakesKeys(definition: RouteDefinition): Route['idempotency'] {
  const { verb, roles, owner, response, streams = [], bodyAs, idempotency } = definition;
  if (verb !== 'POST' || typeof roles === 'string') return undefined;
  if (idempotency === 'own') return 'own';
  if (streams.length > 0 || bodyAs === 'bytes' || bodyAs === 'lines') return undefined;
  const isKept = idempotency ?? (owner.name !== 'core' && !secretMember.test(JSON.stringify(response ?? {})));
  return isKept ? 'core' : undefined;
}

function assertBody(name: string, { body, bodyAs, verb, contentTypes }: RouteDefinition): void {
  const hasBody = body !== undefined || bodyAs === 'bytes';
  if (hasBody && verb === 'GET') refuse(name, 'a GET request has no body');
  if (bodyAs === 'text' && body === undefined) refuse(name, `'bodyAs' needs a schema 'body' of the text`);
  if (bodyAs === 'lines' && body === undefined) refuse(name, `'bodyAs' needs a schema 'body' of each line`);
  if (bodyAs === 'bytes' && (body !== undefined || contentTypes === undefined))
    refuse(name, `a body of bytes has 'contentTypes' and no schema 'body'`);
  if (bodyAs !== 'bytes' && contentTypes !== undefined) refuse(name, `'contentTypes' are of a body of bytes`);
}

const lineContentTypes = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'];

function toUpload(definition: RouteDefinition, line: SchemaCheck | undefined): UploadForm | undefined {
  const { bodyAs, contentTypes = [], bodyMaxBytes = 0 } = definition;
  if (bodyAs === 'bytes') return { as: 'bytes', contentTypes, bytesMax: bodyMaxBytes };
  if (bodyAs === 'lines' && line !== undefined) return { as: 'lines', contentTypes: lineContentTypes, check: line };
  return undefined;
}

function compileRequestSchema(schema: unknown, name: string): SchemaCheck | undefined {
  if (schema === undefined) return undefined;
  assertSafeSchema(schema, name);
  return compileSchema(normalizeSchema(schema, true), name);
}

function compileResponses(name: string, response: Readonly<Record<string, unknown>>): ReadonlyMap<number, SchemaCheck> {
  const entries = Object.entries(response);
  if (entries.length > responsesMax)
    refuse(name, `it must have at most ${responsesMax} responses: it has ${entries.length}`);
  return new Map(
    entries.map(([status, schema]) => {
      if (!/^[23]\d\d$/.test(status))
        refuse(
          name,
          `a response's status must be from 200 to 399: it is "${status}"; errors are problems and need no schema`,
        );
      assertSafeSchema(schema, `${name} response ${status}`);
      return [Number(status), compileSchema(normalizeSchema(schema, false), `${name} response ${status}`)];
    }),
  );
}

function assertParameterNames(name: string, path: RoutePath, params: SchemaCheck | undefined): void {
  if (params === undefined) return;
  const properties = Object.keys(params.schema['properties'] ?? {});
  const absent = [
    ...properties.filter((property) => !path.names.includes(property)),
    ...path.names.filter((each) => !properties.includes(each)),
  ];
  if (absent.length > 0)
    refuse(name, `the path and the schema 'params' must name the same parameters: "${absent[0]}" stands in one only`);
}

function assertCache(
  name: string,
  { verb, cache }: RouteDefinition,
  inputs: readonly (SchemaCheck | undefined)[],
): void {
  if (cache === undefined) return;
  if (verb !== 'GET') refuse(name, "'cache' is for GET alone: other requests change something");
  const { keyedBy } = cache;
  if (keyedBy !== undefined && !inputs.some((check) => Object.hasOwn(check?.schema['properties'] ?? {}, keyedBy)))
    refuse(name, `'cache.keyedBy' must be a parameter of its path or query: "${keyedBy}" is none`);
}

function refuse(name: string, what: string): never {
  throw new AppError('INVALID_CALL', `Cannot register route "${name.slice(0, 300)}": ${what}`);
}
