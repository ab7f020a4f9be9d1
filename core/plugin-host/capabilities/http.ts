import { Type } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { roles } from '#core/http/authentication.ts';
import { createPluginRun } from '#core/http/plugin-request.ts';
import { createPluginBodies, type PluginBodies } from '#core/http/body/plugin-bodies.ts';
import type { RouteTable } from '#core/http/route-table.ts';
import type { Outage, RouteDefinition, RouteRoles, Verb } from '#core/http/route.ts';
import { streamedContentType } from '#core/http/streamed-type.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { PluginCalls } from '../protocol/calls.ts';
import { method, type Capability } from '../capability.ts';
import { cacheProperties, keyFieldPattern } from './cache-arguments.ts';
import type { SupervisorState } from '../supervisor/supervisor-state.ts';

export interface HttpCapabilityOptions {
  readonly routeTable: RouteTable;
  readonly config: Pick<
    Config,
    'httpRequestTimeoutMs' | 'httpLinesTimeoutMs' | 'httpUploadMaxBytes' | 'pluginRestartDelayMs'
  >;
  /** The plugin's own limit of a call; the shorter of the two holds. @default the request's limit */
  readonly callTimeoutMsOf?: (plugin: string) => number;
  /** @default every plugin restarts by itself */
  readonly stateOf?: (plugin: string) => SupervisorState | undefined;
}

type RouteArgs = PluginCalls['http.route']['args'];

const JsonObject = Type.Unsafe<object>({ type: 'object' });

const routeArgs = Type.Object(
  {
    verb: Type.Union([
      Type.Literal('get'),
      Type.Literal('post'),
      Type.Literal('put'),
      Type.Literal('patch'),
      Type.Literal('delete'),
    ]),
    path: Type.String({ minLength: 1, maxLength: 256 }),
    summary: Type.String({ minLength: 1, maxLength: 200 }),
    roles: Type.Union([
      Type.Literal('public'),
      Type.Literal('device'),
      Type.Array(Type.Union(roles.map((role) => Type.Literal(role))), { minItems: 1, maxItems: roles.length }),
    ]),
    credentialsInQuery: Type.Optional(Type.Boolean()),
    params: Type.Optional(JsonObject),
    query: Type.Optional(JsonObject),
    body: Type.Optional(JsonObject),
    bodyAs: Type.Optional(Type.Enum(['json', 'text', 'bytes', 'lines'])),
    contentTypes: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z]+/[a-z0-9][a-z0-9.+-]*$', maxLength: 100 }), {
        minItems: 1,
        maxItems: 16,
      }),
    ),
    bodyMaxBytes: Type.Optional(Type.Integer({ minimum: 1 })),
    response: Type.Unsafe<Record<string, object>>({
      type: 'object',
      additionalProperties: { type: 'object' },
      minProperties: 1,
      maxProperties: 16,
    }),
    handler: Type.Integer({ minimum: 0 }),
    idempotency: Type.Optional(Type.Union([Type.Boolean(), Type.Literal('own')])),
    ifMatch: Type.Optional(Type.Boolean()),
    requestsPerMinute: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
    budget: Type.Optional(Type.Literal('orders')),
    streams: Type.Optional(
      Type.Object(
        {
          contentTypes: Type.Array(Type.String({ pattern: streamedContentType, maxLength: 100 }), {
            minItems: 1,
            maxItems: 16,
          }),
          handler: Type.Integer({ minimum: 0 }),
        },
        { additionalProperties: false },
      ),
    ),
    cache: Type.Optional(
      Type.Object(
        {
          ...cacheProperties,
          keyedBy: Type.Optional(Type.String({ pattern: keyFieldPattern })),
          varyBy: Type.Optional(
            Type.Array(Type.String({ pattern: '^[a-z][a-z0-9-]{0,60}$' }), { minItems: 1, maxItems: 5 }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

const bodyArgs = Type.Object({ body: Type.Integer({ minimum: 1 }) }, { additionalProperties: false });

/** `ctx.http`: routes. A route's schemas are compiled here, once; a restart of the plugin replaces its routes. */
export function createHttpCapability(options: HttpCapabilityOptions): Capability {
  const bodies = new WeakMap<PluginInstance, PluginBodies>();
  const bodiesOf = (instance: PluginInstance): PluginBodies => bodies.getOrInsertComputed(instance, createPluginBodies);
  return {
    name: 'http',
    methods: {
      route: method<RouteArgs>({
        args: routeArgs,
        access: ({ verb, path, roles: allowed }) => [
          { permission: 'http', resource: path },
          ...(allowed === 'public'
            ? [{ permission: 'http' as const, resource: `public ${verb.toUpperCase()} ${path}` }]
            : []),
        ],
        run: (args, { instance }) => {
          options.routeTable.add(toDefinition(args, { instance, bodies: bodiesOf(instance) }, options));
          return null;
        },
      }),
      // Of its own requests alone: there is no permission to ask for.
      read: method<PluginCalls['http.read']['args']>({
        args: bodyArgs,
        run({ body }, { instance, deadlineMs }) {
          // The process waits no longer than its own limit says.
          const ownDeadlineMs = Date.now() + (options.callTimeoutMsOf?.(instance.plugin.name) ?? Infinity);
          return bodiesOf(instance).read(body, Math.min(deadlineMs, ownDeadlineMs));
        },
      }),
    },
  };
}

function toDefinition(
  args: RouteArgs,
  { instance, bodies }: { readonly instance: PluginInstance; readonly bodies: PluginBodies },
  { config, callTimeoutMsOf, stateOf }: HttpCapabilityOptions,
): RouteDefinition {
  const { name } = instance.plugin;
  const callTimeoutMs = callTimeoutMsOf?.(name) ?? Infinity;
  const timeoutMs = Math.min(config.httpRequestTimeoutMs, callTimeoutMs);
  return {
    verb: args.verb.toUpperCase() as Verb,
    path: args.path,
    owner: { name, id: instance.id, gone: instance.gone, outage: () => toOutage(stateOf?.(name)) },
    summary: args.summary,
    roles: args.roles as RouteRoles,
    credentialsInQuery: args.credentialsInQuery ?? false,
    params: args.params,
    query: args.query,
    body: args.body,
    bodyAs: args.bodyAs ?? 'json',
    contentTypes: args.contentTypes,
    bodyMaxBytes: Math.min(args.bodyMaxBytes ?? Infinity, config.httpUploadMaxBytes),
    response: args.response,
    streams: args.streams?.contentTypes,
    cache: args.cache,
    idempotency: args.idempotency,
    ifMatch: args.ifMatch,
    requestsPerMinute: args.requestsPerMinute,
    budget: args.budget,
    run: createPluginRun({
      target: instance,
      handler: args.handler,
      streamHandler: args.streams?.handler,
      timeoutMs,
      handleTimeoutMs: timeoutMs + arrivalMs(args.bodyAs, config),
      bodies,
      unavailableRetrySeconds: Math.ceil(config.pluginRestartDelayMs / 1000),
    }),
  };
}

/** How long a handler may be waiting for its body. */
function arrivalMs(form: RouteArgs['bodyAs'], config: HttpCapabilityOptions['config']): number {
  if (form === 'bytes') return config.httpRequestTimeoutMs;
  return form === 'lines' ? config.httpLinesTimeoutMs : 0;
}

/** As long as an operator takes at the very least. */
const operatorRetrySeconds = 60;

/** What only an operator can end: a client that comes every second meanwhile gains nothing. */
function toOutage(state: SupervisorState | undefined): Outage | undefined {
  if (state === 'quarantined') {
    return {
      detail:
        'The part of the server that answers this is quarantined since it kept failing; an operator must release it',
      retryAfterSeconds: operatorRetrySeconds,
    };
  }
  if (state === 'failed') {
    return {
      detail: 'The part of the server that answers this cannot be started; an operator must see to it',
      retryAfterSeconds: operatorRetrySeconds,
    };
  }
  return undefined;
}
