import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { EventCache } from './event-cache.ts';
import { toCacheEvent, type CacheEvent } from './event-match.ts';

/** The channel of Postgres' LISTEN and NOTIFY on which nodes tell each other. */
export const invalidationChannel = 'returnit_cache';

/** An event that a plugin of this node published. */
export interface PublishedEvent {
  readonly id: string;
  readonly name: string;
  readonly data: object;
}

export interface Invalidations {
  /** To be called when the event's transaction is over, before anybody is told so: who wrote reads what was written. */
  published(event: PublishedEvent): void;
  /** What a relay notified, of whichever node. */
  receive(payload: string): void;
  /** The connection that listens is there. What was notified before is not known: everything is forgotten. */
  opened(): void;
  /** It is gone: until it is back nobody tells of changes, so nothing is kept. */
  lost(): void;
  clear(reason: ClearReason): void;
}

export type ClearReason = 'memory' | 'reconnect' | 'unreadable';

export interface InvalidationsOptions {
  readonly caches: readonly Pick<EventCache<object>, 'invalidate' | 'clear' | 'setOpen'>[];
  readonly telemetry: Telemetry;
}

/** Postgres takes less than 8,000 bytes. */
const payloadMaxBytes = 4000;
/** Own events that are remembered until they come back as notifications. */
const ownMax = 10_000;

/**
 * Invariants: an entry is gone before the writer on this node is answered, and on every other node as soon as Postgres
 * has told it of the commit; a change that nobody told of (a lost connection, an unreadable message) removes everything.
 */
export function createInvalidations({ caches, telemetry }: InvalidationsOptions): Invalidations {
  const { metrics, logger } = telemetry;
  const sent = metrics.counter('returnit_cache_invalidations_sent_total');
  const received = metrics.counter('returnit_cache_invalidations_received_total');
  const clears = metrics.counter('returnit_cache_clears_total');
  const own = new Set<string>();

  const apply = (event: CacheEvent): void => {
    for (const cache of caches) cache.invalidate(event);
  };
  function clear(reason: ClearReason): void {
    clears.inc({ reason });
    for (const cache of caches) cache.clear();
  }

  return {
    clear,
    published({ id, name, data }) {
      sent.inc();
      apply(toCacheEvent(name, data));
      own.add(id);
      for (const oldest of own) {
        if (own.size <= ownMax) break;
        own.delete(oldest);
      }
    },
    receive(payload) {
      const message = parsePayload(payload);
      if (message === undefined) {
        logger.warn({ component: 'cache' }, 'A notification of a change cannot be read: the caches are cleared');
        clear('unreadable');
        return;
      }
      // What was removed at the commit is not to be removed again when the notification comes round.
      if (own.delete(message.id)) return;
      received.inc();
      apply(message.event);
    },
    opened() {
      clears.inc({ reason: 'reconnect' });
      for (const cache of caches) cache.setOpen(true);
    },
    lost() {
      for (const cache of caches) cache.setOpen(false);
    },
  };
}

/** What the relay tells all nodes in the transaction that takes the event, a row of the outbox, to its subscribers. */
export function toChangePayload({ id, name, data }: PublishedEvent): string {
  const whole = JSON.stringify([id, name, toCacheEvent(name, data).ids]);
  return Buffer.byteLength(whole) <= payloadMaxBytes ? whole : JSON.stringify([id, name, null]);
}

/** Any role of the database can notify: what it says is checked, and can do no more than remove entries. */
function parsePayload(payload: string): { readonly id: string; readonly event: CacheEvent } | undefined {
  try {
    const [id, name, ids] = JSON.parse(payload) as readonly unknown[];
    if (typeof id !== 'string' || typeof name !== 'string') return undefined;
    if (ids === null) return { id, event: { name, ids } };
    if (typeof ids !== 'object' || !Object.values(ids).every((value) => typeof value === 'string')) return undefined;
    return { id, event: { name, ids: ids as Readonly<Record<string, string>> } };
  } catch {
    // Not JSON, or no array.
    return undefined;
  }
}
