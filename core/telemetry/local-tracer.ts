import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  trace,
  TraceFlags,
  type Context,
  type Span,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { LocalSpan } from './local-span.ts';
import type { SpanRecord } from './span-record.ts';
import { createTraceIds } from './trace-ids.ts';

export interface LocalTracer {
  readonly provider: TracerProvider;
  /** The finished spans that are kept, oldest first; of one trace, by start. */
  recentSpans(traceId?: string): readonly SpanRecord[];
  /** Spans finished since the start, kept or overwritten since. */
  finished(): number;
}

/** Records every span in memory and keeps the newest; the SDK would cost more than the requests it is to explain. */
export function createLocalTracer(options: { readonly spansMax: number }): LocalTracer {
  const { spansMax } = options;
  const ids = createTraceIds();
  const ring: LocalSpan[] = [];
  let finished = 0;

  const keep = (span: LocalSpan): void => {
    if (spansMax > 0) ring[finished % spansMax] = span;
    finished += 1;
  };

  function startSpan(name: string, spanOptions: SpanOptions = {}, parentContext: Context = context.active()): Span {
    const parent = spanOptions.root === true ? undefined : trace.getSpanContext(parentContext);
    const spanId = ids.spanId();
    return new LocalSpan({
      name,
      context: { traceId: parent?.traceId ?? ids.traceId(), spanId, traceFlags: TraceFlags.SAMPLED },
      parentSpanId: parent?.spanId,
      kind: spanOptions.kind ?? SpanKind.INTERNAL,
      attributes: spanOptions.attributes,
      links: spanOptions.links,
      startTime: spanOptions.startTime,
      onEnd: keep,
    });
  }

  const tracer: Tracer = {
    startSpan,
    startActiveSpan(name: string, ...rest: readonly unknown[]) {
      const run = rest.at(-1) as (span: Span) => never;
      const spanOptions = rest.length > 1 ? (rest[0] as SpanOptions) : {};
      const parentContext = rest.length > 2 ? (rest[1] as Context) : context.active();
      const span = startSpan(name, spanOptions, parentContext);
      return context.with(trace.setSpan(parentContext ?? ROOT_CONTEXT, span), () => run(span));
    },
  };

  return {
    provider: { getTracer: () => tracer },
    finished: () => finished,
    recentSpans(traceId) {
      const split = finished > spansMax && spansMax > 0 ? finished % spansMax : 0;
      const kept = [...ring.slice(split), ...ring.slice(0, split)];
      if (traceId === undefined) return kept.map((span) => span.toRecord());
      return kept
        .filter((span) => span.traceId === traceId)
        .toSorted((a, b) => a.startedAtMs - b.startedAtMs)
        .map((span) => span.toRecord());
    },
  };
}
