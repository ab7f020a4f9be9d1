import { isIPv6 } from 'node:net';
import type { Config } from '#core/config/settings.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import { clientAddress } from '../client-address.ts';
import type { HttpContext, HttpStep } from '../http-context.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { Budgets } from './budgets.ts';
import { createWindowLimit, type Window, type WindowLimit } from './window-limit.ts';

export type RateLimitConfig = Pick<
  Config,
  | 'httpReadsPerMinute'
  | 'httpWritesPerMinute'
  | 'httpAnonymousPerMinute'
  | 'httpRateLimitKeysMax'
  | 'httpTrustedProxies'
>;

export interface RateLimitsOptions {
  readonly config: RateLimitConfig;
  readonly metrics: Metrics;
  /** @default partners have no budgets */
  readonly budgets?: Budgets | undefined;
  /** @default Date.now */
  readonly now?: () => number;
}

/** One limit: how many requests in a minute, and who has made how many. */
interface Policy {
  readonly name: string;
  readonly max: number;
  readonly header: string;
  readonly windows: WindowLimit;
}

const windowMs = 60_000;
const windowSeconds = windowMs / 1000;

/**
 * Refuses whoever sends too much: a principal by its reads and its writes, and by the route where that has a limit of its
 * own; who has no token by its address. Counted by each node for itself. A partner's day is counted by all of them.
 */
export function rateLimits(options: RateLimitsOptions): HttpStep {
  const { config, metrics, budgets, now = Date.now } = options;
  const limited = metrics.counter('returnit_http_rate_limited_total');
  const windowsOf = (): WindowLimit => createWindowLimit({ windowMs, keysMax: config.httpRateLimitKeysMax, now });
  const policies = {
    read: toPolicy('read', config.httpReadsPerMinute, windowsOf()),
    write: toPolicy('write', config.httpWritesPerMinute, windowsOf()),
    anonymous: toPolicy('anonymous', config.httpAnonymousPerMinute, windowsOf()),
  };
  const routeWindows = windowsOf();
  const callers = metrics.gauge('returnit_http_rate_limit_callers');
  metrics.onCollect(() => {
    for (const { name, windows } of [...Object.values(policies), { name: 'route', windows: routeWindows }])
      callers.set({ policy: name }, windows.size);
  });

  function take(ctx: HttpContext, policy: Policy, key: string): void {
    const window = policy.windows.take(key);
    const earlier = ctx.state.rateLimit;
    const state = describe(policy, window, now());
    ctx.state.rateLimit =
      earlier === undefined
        ? { policy: policy.header, state }
        : { policy: `${earlier.policy}, ${policy.header}`, state: `${earlier.state}, ${state}` };
    if (window.count > policy.max) refuse(ctx, policy, secondsUntil(window, now()));
  }

  function refuse(ctx: HttpContext, { name, max }: Policy, retryAfterSeconds: number): never {
    limited.inc({ policy: name });
    const what = `the limit is ${max} a minute for ${subjects[name] ?? 'these requests'}`;
    throw new RequestRefusal('RATE_LIMITED', `Cannot ${ctx.state.route.name}: ${what}`, {
      headers: { 'retry-after': String(retryAfterSeconds) },
    });
  }

  return (ctx) => {
    const { route, principal } = ctx.state;
    if (principal.role === 'anonymous') {
      if (policies.anonymous.max > 0)
        take(ctx, policies.anonymous, toNetwork(clientAddress(ctx.req, config.httpTrustedProxies)));
      return undefined;
    }
    const key = `${principal.role} ${principal.id}`;
    const policy = route.verb === 'GET' ? policies.read : policies.write;
    if (policy.max > 0) take(ctx, policy, key);
    if (policy.max > 0 && route.requestsPerMinute !== undefined)
      take(ctx, toPolicy('route', route.requestsPerMinute, routeWindows), `${key} ${route.name}`);
    return principal.role === 'partner' && budgets !== undefined
      ? () => budgets.spend(principal.id, 'requests')
      : undefined;
  };
}

const subjects: Readonly<Record<string, string>> = {
  read: 'reading',
  write: 'everything else than reading',
  anonymous: 'an address without a token',
  route: 'this operation',
};

function toPolicy(name: string, max: number, windows: WindowLimit): Policy {
  return { name, max, windows, header: `"${name}";q=${max};w=${windowSeconds}` };
}

const secondsUntil = ({ endsAtMs }: Window, nowMs: number): number => Math.max(1, Math.ceil((endsAtMs - nowMs) / 1000));

function describe({ name, max }: Policy, window: Window, nowMs: number): string {
  return `"${name}";r=${Math.max(0, max - window.count)};t=${secondsUntil(window, nowMs)}`;
}

/** Who has one address of IPv6 has 2^64 of them. */
export function toNetwork(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  return [...groups, ...Array.from({ length: Math.max(0, missing) }, () => '0')].slice(0, 4).join(':');
}
