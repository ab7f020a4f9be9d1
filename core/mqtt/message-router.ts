import { LRUCache } from 'lru-cache';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { IncomingMessage } from './incoming-message.ts';
import type { MessageSink } from './transport.ts';
import { filterMatches } from './topic-filter.ts';

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
  hasRoom(topic: string): boolean;
  /** Whether a plugin has subscribed to this topic. */
  isSubscribed(topic: string): boolean;
  route(message: IncomingMessage): void;
}

const topicsCached = 10_000;

export function createMessageRouter(options: MessageRouterOptions): MessageRouter {
  const routes: Route[] = [];
  const expected = new Map<string, readonly string[]>();
  const waiting = new Set<IncomingMessage>();
  const routesByTopic = new LRUCache<string, readonly Route[]>({ max: topicsCached });
  const rejected = options.telemetry.metrics.counter('returnit_mqtt_messages_rejected_total');
  const log = options.telemetry.logger.child({ component: 'mqtt' });

  function routesOf(topic: string): readonly Route[] {
    const known = routesByTopic.get(topic);
    if (known !== undefined) return known;
    const found = routes.filter((route) => filterMatches(route.filter, topic));
    routesByTopic.set(topic, found);
    return found;
  }

  function isExpected(topic: string): boolean {
    return [...expected.values()].some((filters) => filters.some((filter) => filterMatches(filter, topic)));
  }

  /** Acknowledged all the same: its sender could do nothing better by sending it again. */
  function dropUnclaimed(message: IncomingMessage): void {
    rejected.inc({
      plugin: 'core',
      messaging_destination_template: '__unmatched__',
      qos: String(message.qos),
      reason: 'no-subscriber',
    });
    log.debug({ qos: message.qos }, 'No plugin subscribes to this message: dropped');
    message.settle();
  }

  /** Looks again at what waits, after a subscription was made or an expectation has ended. */
  function reviewWaiting(): void {
    for (const message of waiting) {
      const found = routesOf(message.topic);
      if (found.length === 0 && isExpected(message.topic)) continue;
      waiting.delete(message);
      if (found.length === 0) {
        dropUnclaimed(message);
        continue;
      }
      for (const route of found) route.sink.deliver(message);
      message.settle();
    }
  }

  return {
    subscribe(route) {
      routes.push(route);
      routesByTopic.clear();
      reviewWaiting();
    },
    expect(plugin, filters) {
      expected.set(plugin, filters);
    },
    ready(plugin) {
      if (expected.delete(plugin)) reviewWaiting();
    },
    isSubscribed: (topic) => routesOf(topic).length > 0,
    hasRoom(topic) {
      const found = routesOf(topic);
      if (found.length > 0) return found.every((route) => route.sink.hasRoom());
      return waiting.size < options.waitingMax || !isExpected(topic);
    },
    route(message) {
      const found = routesOf(message.topic);
      if (found.length > 0) {
        for (const route of found) route.sink.deliver(message);
        return;
      }
      message.claim((gone) => waiting.delete(gone));
      if (isExpected(message.topic)) waiting.add(message);
      else dropUnclaimed(message);
    },
  };
}
