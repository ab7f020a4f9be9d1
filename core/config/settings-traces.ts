import { integer, share, url } from './setting.ts';
import { thresholds } from './thresholds.ts';

/** Traces: where they go, and which of them are kept. */
export const traceSettings = {
  otlpEndpoint: url(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    ['http:', 'https:'],
    'OTLP/HTTP receiver of traces; empty keeps the newest in memory',
  ),
  tracesKept: integer('TRACES_KEPT', 2000, { description: 'Spans kept in memory when there is no receiver' }),
  tracesTailKept: integer('TRACES_TAIL_KEPT', 2000, {
    description:
      'And beside them, of requests, jobs and batches that failed or were slow; when both are 0, traces have ids and no spans',
  }),
  tracesSampleRatio: share(
    'TRACES_SAMPLE_RATIO',
    1,
    'Of all traces, by their ids; requests, jobs and batches that fail or are slow are kept in any case',
  ),
  tracesSlowMs: integer('TRACES_SLOW_MS', thresholds.slowRequestMs.value, {
    description: 'A request, job or batch that takes longer is kept in traces',
    min: 1,
  }),
  tracesHeldMax: integer('TRACES_HELD_MAX', 10_000, {
    description: 'Spans held until it is known whether their request, job or batch fails or is slow',
    min: 1,
  }),
  tracesQueueMax: integer('TRACES_QUEUE_MAX', 4096, {
    description: 'Spans that wait for the receiver; more are dropped',
    min: 1,
  }),
  tracesStopMs: integer('TRACES_STOP_MS', 5000, { description: 'How long a stop waits for the receiver of traces' }),
} as const;
