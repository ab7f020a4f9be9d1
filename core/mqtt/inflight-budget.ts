import type { Metrics } from '#core/telemetry/metrics.ts';

export interface InflightBudgetOptions {
  readonly messagesMax: number;
  readonly bytesMax: number;
  readonly metrics: Pick<Metrics, 'gauge'>;
}

/** What is received and not yet acknowledged, of all connections together. */
export interface InflightBudget {
  readonly messages: number;
  readonly bytes: number;
  /** Takes room for one message; false when there is none. */
  reserve(bytes: number): boolean;
  /** Takes room for a message whose sender keeps to a window, so that refusing it would gain nothing. */
  exceed(bytes: number): void;
  release(bytes: number): void;
  /** Calls back, once per turn of the event loop, after room was given back. Returns what ends it. */
  onRoom(listener: () => void): () => void;
}

export function createInflightBudget(options: InflightBudgetOptions): InflightBudget {
  const { metrics } = options;
  const messagesHeld = metrics.gauge('returnit_mqtt_inflight_messages');
  const bytesHeld = metrics.gauge('returnit_mqtt_inflight_bytes');
  metrics.gauge('returnit_mqtt_inflight_messages_max').set({}, options.messagesMax);
  metrics.gauge('returnit_mqtt_inflight_max_bytes').set({}, options.bytesMax);
  let messages = 0;
  let bytes = 0;
  let announced = false;
  const listeners = new Set<() => void>();

  function announce(): void {
    announced = false;
    messagesHeld.set({}, messages);
    bytesHeld.set({}, bytes);
    for (const listener of listeners) listener();
  }

  function changed(): void {
    if (announced) return;
    announced = true;
    setImmediate(announce);
  }

  return {
    get messages() {
      return messages;
    },
    get bytes() {
      return bytes;
    },
    reserve(size) {
      // One message always finds room in an empty budget, however large: it could never be handled otherwise.
      if (messages >= options.messagesMax || (messages > 0 && bytes + size > options.bytesMax)) return false;
      messages += 1;
      bytes += size;
      changed();
      return true;
    },
    exceed(size) {
      messages += 1;
      bytes += size;
      changed();
    },
    release(size) {
      messages -= 1;
      bytes -= size;
      changed();
    },
    onRoom(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
