import type { DomainEvent } from '#plugin-api';

/** What a queue holds: the sender's data and the trace it belongs to. */
export interface JobEnvelope {
  readonly data: unknown;
  readonly traceparent: string | null;
}

/** The trace stands in the envelope. */
export type StoredEvent = Omit<DomainEvent<unknown>, 'traceId'>;

export interface EventEnvelope extends JobEnvelope {
  readonly data: StoredEvent;
}

/** A job that something else put into the queue has no envelope; its data is passed on as it is. */
export function readEnvelope(stored: unknown): JobEnvelope {
  if (typeof stored === 'object' && stored !== null && 'data' in stored && 'traceparent' in stored) {
    const { data, traceparent } = stored;
    return { data, traceparent: typeof traceparent === 'string' ? traceparent : null };
  }
  return { data: stored, traceparent: null };
}
