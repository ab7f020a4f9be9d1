import { LRUCache } from 'lru-cache';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { IncomingMessage } from './incoming-message.ts';
import type { MessageSink } from './transport.ts';
import { filterMatches } from './topic-filter.ts';
import { countUnclaimed } from './unclaimed-messages.ts';

interface Route {
  readonly plugin: string;
  readonly filter: string;
  readonly sink: MessageSink;
}

export interface MessageRouterOptions {
  readonly telemetry: Telemetry;
  /** Messages that may wait for a plugin that has not subscribed yet. */
  readonly waitingMax: number;
}

/** Finds the subscriptions of each message, and keeps what an expected plugin has yet to ask for. */
export interface MessageRouter {
  subscribe(route: Route): void;
  expect(plugin: string, filters: readonly string[]): void;
  ready(plugin: string): void;
  /** @param held - what its sender has here already */
  hasRoom(topic: string, held?: number): boolean;
  /** Whether a plugin has subscribed to this topic. */
  isSubscribed(topic: string): boolean;
  route(message: IncomingMessage): void;
}

const topicsCached = 10_000;

export function createMessageRouter(options: MessageRouterOptions): MessageRouter {
  return new Router(options);
}

class Router implements MessageRouter {
  readonly #waitingMax: number;
  readonly #routes: Route[] = [];
  readonly #expected = new Map<string, readonly string[]>();
  readonly #waiting = new Set<IncomingMessage>();
  readonly #routesByTopic = new LRUCache<string, readonly Route[]>({ max: topicsCached });
  readonly #countUnclaimed: ReturnType<typeof countUnclaimed>;
  readonly #log: Logger;

  constructor({ telemetry, waitingMax }: MessageRouterOptions) {
    this.#waitingMax = waitingMax;
    this.#countUnclaimed = countUnclaimed(telemetry.metrics, 'no-subscriber');
    this.#log = telemetry.logger.child({ component: 'mqtt' });
  }

  subscribe(route: Route): void {
    this.#routes.push(route);
    this.#routesByTopic.clear();
    this.#reviewWaiting();
  }

  expect(plugin: string, filters: readonly string[]): void {
    this.#expected.set(plugin, filters);
  }

  ready(plugin: string): void {
    if (this.#expected.delete(plugin)) this.#reviewWaiting();
  }

  isSubscribed(topic: string): boolean {
    return this.#routesOf(topic).length > 0;
  }

  hasRoom(topic: string, held = 0): boolean {
    const routes = this.#routesOf(topic);
    if (routes.length > 0) return routes.every((route) => route.sink.hasRoom(held));
    return this.#waiting.size < this.#waitingMax || !this.#isExpected(topic);
  }

  route(message: IncomingMessage): void {
    const routes = this.#routesOf(message.topic);
    for (const route of routes) route.sink.deliver(message);
    if (routes.length > 0) return;
    message.claim((gone) => this.#waiting.delete(gone));
    if (this.#isExpected(message.topic)) this.#waiting.add(message);
    else this.#dropUnclaimed(message);
  }

  #routesOf(topic: string): readonly Route[] {
    const known = this.#routesByTopic.get(topic);
    if (known !== undefined) return known;
    const found = this.#routes.filter((route) => filterMatches(route.filter, topic));
    this.#routesByTopic.set(topic, found);
    return found;
  }

  #isExpected(topic: string): boolean {
    return this.#expected.values().some((filters) => filters.some((filter) => filterMatches(filter, topic)));
  }

  /** Acknowledged all the same: its sender could do nothing better by sending it again. */
  #dropUnclaimed(message: IncomingMessage): void {
    this.#countUnclaimed(message);
    this.#log.debug({ qos: message.qos }, 'No plugin subscribes to this message: dropped');
    message.settle();
  }

  /** Looks again at what waits, after a subscription was made or an expectation has ended. */
  #reviewWaiting(): void {
    for (const message of this.#waiting) {
      const routes = this.#routesOf(message.topic);
      if (routes.length === 0 && this.#isExpected(message.topic)) continue;
      this.#waiting.delete(message);
      if (routes.length === 0) {
        this.#dropUnclaimed(message);
        continue;
      }
      for (const route of routes) route.sink.deliver(message);
      message.settle();
    }
  }
}
