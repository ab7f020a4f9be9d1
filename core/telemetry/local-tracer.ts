import {
  context,
  ROOT_CONTEXT,
  trace,
  type Context,
  type Span,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { LocalSpan, type SpanSource } from './local-span.ts';
import { spanOf } from './span-context.ts';
import type { SpanRecord } from './span-record.ts';
import { SpanRing } from './span-ring.ts';
import { TailSampler, type SamplingOptions } from './tail-sampler.ts';
import { TraceIds } from './trace-ids.ts';
import { UnrecordedSpan } from './unrecorded-span.ts';

export interface LocalTracer {
  readonly provider: TracerProvider;
  readonly sampler: TailSampler<LocalSpan>;
  /** The finished spans that are kept, oldest first; of one trace, by start. */
  recentSpans(traceId?: string): readonly SpanRecord[];
  /** Spans that were kept for the newest, or overwritten since. */
  finished(): number;
}

export interface LocalTracerOptions extends SamplingOptions {
  readonly spansMax: number;
  /** Beside them, of requests and jobs that failed or were slow: others do not take their place. @default 0 */
  readonly tailMax?: number;
}

/**
 * Records spans in memory and keeps the newest; the SDK would cost more than the requests it is to explain. Where none are to
 * be kept, none is recorded.
 */
export function createLocalTracer(options: LocalTracerOptions): LocalTracer {
  const newest = new SpanRing<LocalSpan>(options.spansMax);
  const tail = new SpanRing<LocalSpan>(options.tailMax ?? 0);
  const sampler = new TailSampler<LocalSpan>(
    {
      sampled: (span) => newest.add(span),
      tail: (span) => tail.add(span),
      wantsAllOfTail: (options.tailMax ?? 0) > 0,
      isFailed: (span) => span.hasFailed,
    },
    options,
  );
  const isKeeping = options.spansMax > 0 || (options.tailMax ?? 0) > 0;
  const source: SpanSource = { ids: new TraceIds(), ended: (span) => sampler.ended(span) };

  function startSpan(name: string, spanOptions: SpanOptions = {}, parentContext: Context = context.active()): Span {
    const parent = spanOptions.root === true ? undefined : spanOf(parentContext)?.spanContext();
    return isKeeping
      ? new LocalSpan(source, name, parent).begin(spanOptions)
      : new UnrecordedSpan(source.ids, parent?.traceId);
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
    sampler,
    finished: () => newest.added,
    recentSpans(traceId) {
      const recent = newest.all();
      const known = new Set(recent.map(({ spanId }) => spanId));
      const kept = [...tail.all().filter(({ spanId }) => !known.has(spanId)), ...recent];
      if (traceId === undefined) return kept.map((span) => span.toRecord());
      return kept
        .filter((span) => span.traceId === traceId)
        .toSorted((a, b) => a.startedAtMs - b.startedAtMs)
        .map((span) => span.toRecord());
    },
  };
}
