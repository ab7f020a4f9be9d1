import { filterMatches } from './topic-filter.ts';

/** A message of quality of service 1 that is worth nothing after a moment. */
export interface ExpiringMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly expiresAtMs: number;
}

export interface ExpiringMessagesOptions {
  /** Messages kept in all; the ones kept for longest go first. @default 10000 */
  readonly messagesMax?: number;
  /** Messages kept of one topic; the oldest goes first. @default 20 */
  readonly perTopicMax?: number;
  /** @default Date.now */
  readonly now?: () => number;
}

/**
 * What MQTT 5 brokers do by the Message Expiry Interval, for a broker of MQTT 3.1.1 that keeps no sessions: a message waits
 * here for devices that are away, and is handed out when they subscribe again, until it expires and never after.
 */
export interface ExpiringMessages {
  keep(message: ExpiringMessage): void;
  /** What has not expired, in the order it was published; of a filter with wildcards, topic by topic. */
  matching(filter: string): readonly ExpiringMessage[];
  readonly size: number;
}

export function createExpiringMessages(options: ExpiringMessagesOptions = {}): ExpiringMessages {
  const { messagesMax = 10_000, perTopicMax = 20, now = Date.now } = options;
  /** In the order of their newest message, so that the first is the one that may go. */
  const byTopic = new Map<string, readonly ExpiringMessage[]>();
  let size = 0;

  function put(topic: string, messages: readonly ExpiringMessage[]): void {
    size += messages.length - (byTopic.get(topic)?.length ?? 0);
    byTopic.delete(topic);
    if (messages.length > 0) byTopic.set(topic, messages);
  }

  function fresh(topic: string): readonly ExpiringMessage[] {
    const nowMs = now();
    return (byTopic.get(topic) ?? []).filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  }

  function makeRoom(): void {
    if (size <= messagesMax) return;
    for (const topic of Array.from(byTopic.keys())) {
      const left = fresh(topic);
      if (left.length === 0) put(topic, left);
    }
    for (const [topic, messages] of byTopic) {
      if (size <= messagesMax) return;
      // In its place: what is left of it is as old as it was.
      byTopic.set(topic, messages.slice(1));
      size -= 1;
      if (messages.length === 1) byTopic.delete(topic);
    }
  }

  return {
    keep(message) {
      put(message.topic, [...fresh(message.topic), message].slice(-perTopicMax));
      makeRoom();
    },
    matching(filter) {
      // Nearly every device asks for its own topics by name: that must not cost a look at everybody's.
      if (!/[+#]/.test(filter)) return fresh(filter);
      return Array.from(byTopic.keys())
        .filter((topic) => filterMatches(filter, topic))
        .flatMap(fresh);
    },
    get size() {
      return size;
    },
  };
}
