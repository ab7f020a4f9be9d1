import type { MessageConnection } from './message-connection.ts';
import { createWatchedTopics, type WatchedTopics } from './watched-topics.ts';

/** What the devices of the embedded broker have subscribed to: from just before the broker makes it until after it ends. */
export interface DeviceSubscriptions {
  readonly topics: Pick<WatchedTopics, 'matches'>;
  add(connection: MessageConnection, filter: string): void;
  remove(connection: MessageConnection, filters: Iterable<string>): void;
}

export function createDeviceSubscriptions(): DeviceSubscriptions {
  const topics = createWatchedTopics();
  /** How often each filter was asked for: an UNSUBSCRIBE may end after the next SUBSCRIBE of the same was let in. */
  const filtersOf = new WeakMap<MessageConnection, Map<string, number>>();

  function forget(connection: MessageConnection): void {
    for (const filter of filtersOf.get(connection)?.keys() ?? []) topics.remove(filter);
    filtersOf.delete(connection);
  }

  return {
    topics,
    add(connection, filter) {
      if (connection.gate.destroyed) return;
      if (!filtersOf.has(connection)) connection.gate.once('close', () => forget(connection));
      const filters = filtersOf.get(connection) ?? new Map<string, number>();
      filtersOf.set(connection, filters);
      const count = filters.get(filter) ?? 0;
      filters.set(filter, count + 1);
      if (count === 0) topics.add(filter);
    },
    remove(connection, removed) {
      const filters = filtersOf.get(connection);
      for (const filter of removed) {
        const count = filters?.get(filter);
        if (count === undefined) continue;
        if (count > 1) filters?.set(filter, count - 1);
        else if (filters?.delete(filter) === true) topics.remove(filter);
      }
    },
  };
}
