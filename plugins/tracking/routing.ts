import type { PluginContext } from '#plugin-api';
import { createBoundedMap } from './bounded-map.ts';
import { createCircuit } from './circuit.ts';
import type { Place } from './distance.ts';

export type Route =
  | { readonly kind: 'route'; readonly seconds: number }
  /** The engine knows no way between the two. */
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly reason: 'timeout' | 'unreachable' | 'refused' | 'answer' };

/** What knows roads. It answers every question and never throws. */
export interface RoutingEngine {
  readonly name: 'osrm';
  route(from: Place, to: Place): Promise<Route>;
}

export interface RoutingOptions {
  readonly engine: RoutingEngine;
  /** How long an answer is used without asking again. */
  readonly cacheMs: number;
  readonly now: () => number;
}

export interface Way {
  /** The order; its answers are remembered by it, and dropped when it turns to another stop. */
  readonly key: string;
  readonly from: Place;
  /** The time of `from`. */
  readonly fromMs: number;
  readonly to: Place;
}

export interface KnownRoute {
  readonly fromMs: number;
  readonly travelSeconds: number;
}

export interface Routing {
  /** What is known without waiting; asks in the background for what is missing or old. */
  recall(way: Way): KnownRoute | undefined;
  /** Waits for the engine when nothing fresh is known. */
  find(way: Way): Promise<KnownRoute | undefined>;
}

const waysMax = 10_000;
const askingMax = 16;
/** A driver on the road does not lose the way of a minute ago: an old answer is better than another kind of answer. */
const usableFactor = 3;

interface Entry {
  readonly askedMs: number;
  /** Undefined: the engine knows no way. That is remembered too, or each new position would ask again. */
  readonly route: KnownRoute | undefined;
}

/** A routing engine with a cache, a bound of questions at a time, and a circuit that spares one that fails. */
export function createRouting(ctx: Pick<PluginContext, 'metrics'>, options: RoutingOptions): Routing {
  const { engine, cacheMs, now } = options;
  const known = createBoundedMap<Entry>(waysMax);
  const asking = new Map<string, Promise<KnownRoute | undefined>>();
  const circuit = createCircuit({ now });
  const count = (outcome: string): void => ctx.metrics.increment('returnit_tracking_routes_total', { outcome });

  async function ask({ key, from, fromMs, to }: Way): Promise<KnownRoute | undefined> {
    const askedMs = now();
    const answer = await engine.route(from, to);
    count(answer.kind === 'failed' ? answer.reason : answer.kind);
    if (answer.kind === 'failed') {
      circuit.failed();
      return usable(key);
    }
    circuit.succeeded();
    const route = answer.kind === 'route' ? { fromMs, travelSeconds: answer.seconds } : undefined;
    known.set(key, { askedMs, route });
    return route;
  }

  /** What is known once the engine has answered; at once when it is not asked. */
  async function refresh(way: Way): Promise<KnownRoute | undefined> {
    const under = asking.get(way.key);
    if (under !== undefined) return under;
    const isBusy = asking.size >= askingMax;
    if (isBusy || !circuit.enter()) {
      count(isBusy ? 'busy' : 'skipped');
      return usable(way.key);
    }
    const promise = ask(way).finally(() => asking.delete(way.key));
    asking.set(way.key, promise);
    return promise;
  }

  function usable(key: string): KnownRoute | undefined {
    const entry = known.get(key);
    return entry !== undefined && now() - entry.askedMs < cacheMs * usableFactor ? entry.route : undefined;
  }
  const isFresh = (key: string): boolean => now() - (known.get(key)?.askedMs ?? -Infinity) < cacheMs;

  return {
    recall(way) {
      if (!isFresh(way.key)) void refresh(way);
      return usable(way.key);
    },
    find: async (way) => (isFresh(way.key) ? usable(way.key) : refresh(way)),
  };
}
