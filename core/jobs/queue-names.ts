/** Queues of plugins: `notifications.send`. Lower case, at least two parts. */
export const queuePattern = '^[a-z][a-z0-9_-]*(\\.[a-z0-9_-]+)+$';
/** Events: `order.created`. */
export const eventPattern = queuePattern;
/** Longest name of a queue or an event, in characters; pg-boss and the metrics carry it everywhere. */
export const nameLengthMax = 100;

const eventPrefix = 'event.';
const deadSuffix = '.dead';
const corePrefix = 'core.';

/** The queue in which one subscriber's deliveries of one event wait. */
export function eventQueue(plugin: string, event: string): string {
  return `${eventPrefix}${plugin}.${event}`;
}

/** Where jobs go after their last attempt. */
export function deadLetterQueue(queue: string): string {
  return `${queue}${deadSuffix}`;
}

export function isDeadLetterQueue(queue: string): boolean {
  return queue.endsWith(deadSuffix);
}

/** Queues that the core fills or reads by itself: no plugin may name them, whatever it was granted. */
export function isReservedQueue(queue: string): boolean {
  return queue.startsWith(eventPrefix) || queue.startsWith(corePrefix) || isDeadLetterQueue(queue);
}
