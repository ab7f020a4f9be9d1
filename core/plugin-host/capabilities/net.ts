import type { LookupAddress } from 'node:dns';
import { isIPv6 } from 'node:net';
import { Type } from 'typebox';
import { request, type Dispatcher } from 'undici';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { createPinnedAgent, portOf, type PinnedAgent } from '../egress/pinned-agent.ts';
import { createRequestDurations, type Measure, type RequestDurationsOptions } from '../egress/request-durations.ts';
import { readBody } from '../egress/response-body.ts';
import { method, type Access, type Call, type Capability } from '../capability.ts';
import type { PluginCalls } from '../protocol/calls.ts';

type FetchArgs = PluginCalls['net.fetch']['args'];
type FetchResult = PluginCalls['net.fetch']['result'];

const FetchArgsSchema = Type.Object(
  {
    url: Type.String({ maxLength: 8192 }),
    // Those that the Fetch standard forbids are tunnels and echoes.
    method: Type.String({ pattern: '^(?!(?:CONNECT|TRACE|TRACK)$)[A-Z]{1,16}$' }),
    headers: Type.Array(Type.Tuple([Type.String({ maxLength: 256 }), Type.String({ maxLength: 8192 })]), {
      maxItems: 100,
    }),
    body: Type.Optional(Type.String()),
    redirect: Type.Union([Type.Literal('follow'), Type.Literal('error'), Type.Literal('manual')]),
    responseMaxBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
);

export interface NetCapabilityOptions extends RequestDurationsOptions {
  readonly config: Config;
  /** @default the system's resolver */
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
}

const connectionsPerOriginMax = 8;
/** Set by the core or meaningless to a plugin that has no connection. */
const ownHeaders = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'keep-alive',
  'te',
  'expect',
]);
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Not sent on to another origin. */
const credentialHeaders = new Set(['authorization', 'cookie', 'proxy-authorization']);

/**
 * The plugin's global `fetch`. The plugin has no sockets: the core makes the request, to an address that it has checked.
 * Host and port of every hop need the `net` permission; a private address needs a grant of its own, whatever name led to it.
 */
export function createNetCapability(options: NetCapabilityOptions): Capability {
  const { config } = options;
  const measure = createRequestDurations(options);
  const agents = new Map<string, PinnedAgent>();
  const agentOf = (plugin: string): PinnedAgent =>
    agents.getOrInsertComputed(plugin, () =>
      createPinnedAgent({
        connectionsPerOriginMax,
        connectTimeoutMs: config.pluginCallTimeoutMs,
        ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
      }),
    );

  return {
    name: 'net',
    methods: {
      fetch: method<FetchArgs>({
        args: FetchArgsSchema,
        access: accessOf,
        async run(args, call) {
          try {
            return await fetchFollowing(args, { call, agent: agentOf(call.instance.plugin.name), measure, config });
          } catch (error) {
            if (error instanceof AppError) throw error;
            const { code } = error as { code?: unknown };
            throw fetchFailed(args.url, typeof code === 'string' ? code : 'the connection failed', error);
          }
        },
      }),
    },
    async stop() {
      await Promise.all([...agents.values()].map((agent) => agent.close()));
    },
  };
}

interface FetchDeps {
  readonly call: Call;
  readonly agent: PinnedAgent;
  readonly measure: Measure;
  readonly config: Config;
}

async function fetchFollowing(args: FetchArgs, deps: FetchDeps): Promise<FetchResult> {
  const { call, config } = deps;
  let hop = args;
  for (let redirects = 0; ; redirects += 1) {
    const response = await fetchOnce(hop, deps);
    const location = response.headers['location'];
    if (!redirectStatuses.has(response.statusCode) || typeof location !== 'string' || args.redirect === 'manual') {
      return toResult(response, hop.url, {
        redirected: redirects > 0,
        maxBytes: config.netResponseMaxBytes,
        wantedBytes: args.responseMaxBytes,
      });
    }
    await response.body.dump();
    if (args.redirect === 'error') throw fetchFailed(hop.url, 'it redirects, and redirects are not wanted');
    if (redirects >= config.netRedirectsMax)
      throw fetchFailed(hop.url, `it redirects more than ${config.netRedirectsMax} times`);
    hop = nextHop(hop, response.statusCode, location);
    for (const access of accessOf(hop)) call.check(access);
  }
}

function fetchOnce(hop: FetchArgs, { call, agent, measure }: FetchDeps): Promise<Dispatcher.ResponseData> {
  const url = new URL(hop.url);
  return measure({ plugin: call.instance.plugin.name, method: hop.method, url }, async () => {
    await agent.pin(url, (address, port) => {
      call.check({ permission: 'net', resource: `${isIPv6(address) ? `[${address}]` : address}:${port}` });
    });
    return request(url, {
      dispatcher: agent.dispatcherOf(url),
      method: hop.method,
      headers: hop.headers.flatMap(([name, value]) => (ownHeaders.has(name.toLowerCase()) ? [] : [name, value])),
      body: hop.body === undefined ? null : Buffer.from(hop.body, 'base64'),
      signal: call.signal,
    });
  });
}

function accessOf({ url }: Pick<FetchArgs, 'url'>): readonly Access[] {
  const parsed = URL.parse(url);
  if (parsed === null || !isFetchable(parsed)) {
    throw new AppError('INVALID_CALL', 'Cannot fetch: the URL must begin with https:// or http://');
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new AppError(
      'INVALID_CALL',
      `Cannot fetch ${parsed.host}: the URL must not carry credentials; send an authorization header`,
    );
  }
  return [{ permission: 'net', resource: `${parsed.hostname}:${portOf(parsed)}` }];
}

function isFetchable({ protocol }: URL): boolean {
  return protocol === 'https:' || protocol === 'http:';
}

/** As the Fetch standard has it: 303, and 301 or 302 after POST, become GET; credentials stay with their origin. */
function nextHop(hop: FetchArgs, status: number, location: string): FetchArgs {
  const from = new URL(hop.url);
  const to = URL.parse(location, from);
  if (to === null || !isFetchable(to)) throw fetchFailed(hop.url, 'it redirects to what is no http or https URL');
  const toGet = (status === 303 && hop.method !== 'HEAD') || (status <= 302 && hop.method === 'POST');
  const { body, ...rest } = hop;
  const kept =
    to.origin === from.origin
      ? hop.headers
      : hop.headers.filter(([name]) => !credentialHeaders.has(name.toLowerCase()));
  if (toGet) {
    const headers = kept.filter(([name]) => !name.toLowerCase().startsWith('content-'));
    return { ...rest, url: to.href, method: 'GET', headers };
  }
  return { ...rest, url: to.href, headers: kept, ...(body === undefined ? {} : { body }) };
}

interface ResultOptions {
  readonly redirected: boolean;
  readonly maxBytes: number;
  /** What the plugin reads of the body: the rest of it is no failure. */
  readonly wantedBytes: number | undefined;
}

async function toResult(
  response: Dispatcher.ResponseData,
  url: string,
  { redirected, maxBytes, wantedBytes }: ResultOptions,
): Promise<FetchResult> {
  const { statusCode, statusText, headers } = response;
  const body = await readBody(response.body, {
    contentEncoding: [headers['content-encoding'] ?? []].flat().join(','),
    maxBytes: Math.min(maxBytes, wantedBytes ?? maxBytes),
    cut: wantedBytes !== undefined && wantedBytes <= maxBytes,
  });
  if (body === undefined) throw fetchFailed(url, `the response has more than ${maxBytes} bytes`);
  return {
    status: statusCode,
    statusText,
    url,
    redirected,
    headers: Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [value].flat().map((item): readonly [string, string] => [name, item]),
    ),
    body: body.toString('base64'),
  };
}

function fetchFailed(url: string, reason: string, cause?: unknown): AppError {
  return new AppError(
    'FETCH_FAILED',
    `Cannot fetch ${new URL(url).host}: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}
