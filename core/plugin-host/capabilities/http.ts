import { Type } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { roles } from '#core/http/authentication.ts';
import { createPluginRun } from '#core/http/plugin-request.ts';
import { streamedContentType } from '#core/http/plugin-reply.ts';
import type { RouteTable } from '#core/http/route-table.ts';
import type { Outage, RouteRoles, Verb } from '#core/http/route.ts';
import type { PluginCalls } from '../protocol/calls.ts';
import { method, type Capability } from '../capability.ts';
import { cacheProperties, keyFieldPattern } from './cache-arguments.ts';
import type { SupervisorState } from '../supervisor/supervisor-state.ts';

export interface HttpCapabilityOptions {
  readonly routeTable: RouteTable;
  readonly config: Pick<Config, 'httpRequestTimeoutMs' | 'pluginRestartDelayMs'>;
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
    bodyAs: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('text')])),
    response: Type.Unsafe<Record<string, object>>({
      type: 'object',
      additionalProperties: { type: 'object' },
      minProperties: 1,
      maxProperties: 16,
    }),
    handler: Type.Integer({ minimum: 0 }),
    idempotency: Type.Optional(Type.Boolean()),
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

/** `ctx.http`: routes. A route's schemas are compiled here, once; a restart of the plugin replaces its routes. */
export function createHttpCapability(options: HttpCapabilityOptions): Capability {
  const { routeTable, config } = options;
  const unavailableRetrySeconds = Math.ceil(config.pluginRestartDelayMs / 1000);
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
          const { name } = instance.plugin;
          routeTable.add({
            verb: args.verb.toUpperCase() as Verb,
            path: args.path,
            owner: {
              name,
              id: instance.id,
              gone: instance.gone,
              outage: () => toOutage(options.stateOf?.(name)),
            },
            summary: args.summary,
            roles: args.roles as RouteRoles,
            credentialsInQuery: args.credentialsInQuery ?? false,
            params: args.params,
            query: args.query,
            body: args.body,
            bodyAs: args.bodyAs ?? 'json',
            response: args.response,
            streams: args.streams?.contentTypes,
            cache: args.cache,
            idempotency: args.idempotency,
            requestsPerMinute: args.requestsPerMinute,
            budget: args.budget,
            run: createPluginRun({
              target: instance,
              handler: args.handler,
              streamHandler: args.streams?.handler,
              timeoutMs: Math.min(config.httpRequestTimeoutMs, options.callTimeoutMsOf?.(name) ?? Infinity),
              unavailableRetrySeconds,
            }),
          });
          return null;
        },
      }),
    },
  };
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
