import { performance } from 'node:perf_hooks';
import { context, trace, type Span } from '@opentelemetry/api';
import { installTracer } from './active-tracer.ts';
import { follow, type Failure } from './follow.ts';
import { createLocalTracer } from './local-tracer.ts';
import type { Logger } from './logger.ts';
import { OpenSpan, recordError, type OpenSpanOptions } from './open-span.ts';
import { SpanInContext, spanOf } from './span-context.ts';
import type { SpanRecord } from './span-record.ts';
import type { KeptReason, SamplingOptions, TailSampler } from './tail-sampler.ts';
import { parseTraceparent, toTraceparent } from './traceparent.ts';

export interface TracingOptions {
  /** OTLP/HTTP receiver (OTEL_EXPORTER_OTLP_ENDPOINT); null keeps the newest spans in memory. */
  readonly otlpEndpoint: string | null;
  /** Spans kept in memory when there is no receiver (TRACES_KEPT). */
  readonly tracesKept: number;
  /** And beside them, of requests and jobs that failed or were slow (TRACES_TAIL_KEPT). @default 0 */
  readonly tracesTailKept?: number;
  /** TRACES_SAMPLE_RATIO. @default 1 */
  readonly tracesSampleRatio?: number;
  /** TRACES_SLOW_MS. @default 1000 */
  readonly tracesSlowMs?: number;
  /** TRACES_HELD_MAX. @default 10000 */
  readonly tracesHeldMax?: number;
  /** Spans that wait for the receiver (TRACES_QUEUE_MAX). @default 4096 */
  readonly tracesQueueMax?: number;
  /** How long a stop waits for the receiver (TRACES_STOP_MS). @default 5000 */
  readonly tracesStopMs?: number;
  readonly version: string;
  readonly environment: string;
  readonly region: string;
  /** Told when the receiver does not take spans. */
  readonly logger?: Logger;
}

/** Spans that ended since the start. */
export interface SpanCount {
  /** `kept` for the memory or the receiver, `exported` to it, `dropped` */
  readonly outcome: 'kept' | 'exported' | 'dropped';
  /** Why it was kept or dropped; of what was exported empty. */
  readonly reason: KeptReason | 'unsampled' | 'buffer_full' | 'queue_full' | 'refused' | 'stopped' | '';
  readonly total: number;
}

export interface Tracing {
  /** True when spans go to a receiver; then none are kept here. */
  readonly exporting: boolean;
  /** The newest finished spans, oldest first; of one trace, by start. */
  recentSpans(traceId?: string): readonly SpanRecord[];
  /** The fates of the spans; the same one counts as kept and then as exported or dropped. */
  counts(): readonly SpanCount[];
  /** Sends what is queued for the receiver. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** OpenTelemetry's context and tracer are one per process, so several cores in one process (tests) share the first one's. */
let shared: { tracing: Promise<Tracing>; users: number } | undefined;

/** Makes spans real: until then, and after the last stop, `withSpan` runs its function with a span that records nothing. */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const current = (shared ??= { tracing: start(options), users: 0 });
  current.users += 1;
  const tracing = await current.tracing;
  let stopped: Promise<void> | undefined;
  return {
    ...tracing,
    stop() {
      stopped ??= (async () => {
        current.users -= 1;
        if (current.users > 0) return;
        shared = undefined;
        await tracing.stop();
      })();
      return stopped;
    },
  };
}

async function start(options: TracingOptions): Promise<Tracing> {
  const sampling = toSampling(options);
  if (options.otlpEndpoint === null) {
    const local = createLocalTracer({
      ...sampling,
      spansMax: options.tracesKept,
      tailMax: options.tracesTailKept ?? 0,
    });
    const uninstall = installTracer(local.provider, local.sampler);
    return {
      exporting: false,
      recentSpans: (traceId) => local.recentSpans(traceId),
      counts: () => toCounts(local.sampler),
      flush: async () => undefined,
      stop: async () => uninstall(),
    };
  }
  // The SDK takes 100 ms to load: only those who use it pay.
  const { createOtlpTracer } = await import('./otlp.ts');
  const otlp = createOtlpTracer({
    ...options,
    sampling,
    endpoint: options.otlpEndpoint,
    queueMax: options.tracesQueueMax ?? 4096,
    stopMs: options.tracesStopMs ?? 5000,
  });
  const uninstall = installTracer(otlp.provider, otlp.sampler);
  return {
    exporting: true,
    recentSpans: () => [],
    counts: () => [
      ...toCounts(otlp.sampler),
      { outcome: 'exported', reason: '', total: otlp.exported() },
      ...toEntries('dropped', otlp.dropped),
    ],
    flush: () => otlp.flush(),
    async stop() {
      uninstall();
      await otlp.stop();
    },
  };
}

function toSampling(options: TracingOptions): SamplingOptions {
  const { tracesSampleRatio: ratio = 1, tracesSlowMs: slowMs = 1000, tracesHeldMax: heldMax = 10_000 } = options;
  return { ratio, slowMs, heldMax };
}

function toCounts({ kept, dropped }: Pick<TailSampler<never>, 'kept' | 'dropped'>): SpanCount[] {
  return [...toEntries('kept', kept), ...toEntries('dropped', dropped)];
}

function toEntries<Reason extends SpanCount['reason']>(
  outcome: SpanCount['outcome'],
  totals: Readonly<Record<Reason, number>>,
): SpanCount[] {
  return Object.entries<number>(totals).map(([reason, total]) => ({ outcome, reason: reason as Reason, total }));
}

export interface WithSpanOptions extends OpenSpanOptions {
  /** `fn` neither waits nor starts what does: it is spared what it would cost to remember the span for later. */
  readonly immediate?: boolean;
  /** Told how `fn` ended and how long it took, while the span is active. */
  readonly measured?: (failure: Failure, seconds: number) => void;
}

/** Runs `fn` in a new span, ends it when `fn` is done and records what it throws. Without a promise when `fn` makes none. */
export function inSpan<T>(name: string, options: WithSpanOptions, fn: (span: Span) => Promise<T> | T): Promise<T> | T {
  const open = new OpenSpan(name, options);
  const ended = (failure: Failure): void => {
    if (failure !== null) recordError(open.span, failure.error);
    const endedAtMs = performance.now();
    options.measured?.(failure, (endedAtMs - open.startedAtMs) / 1000);
    open.end(endedAtMs);
  };
  const run = (): Promise<T> | T => follow(() => fn(open.span), ended);
  return options.immediate === true ? open.runAtOnce(run) : open.run(run);
}

/** As `inSpan()`, always with a promise. */
export async function withSpan<T>(
  name: string,
  options: WithSpanOptions,
  fn: (span: Span) => Promise<T> | T,
): Promise<T> {
  return inSpan(name, options, fn);
}

/** Runs `fn` as part of the trace that this traceparent names; an invalid or missing one changes nothing. */
export function withTraceparent<T>(traceparent: string | undefined, fn: () => T): T {
  const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  return parent === undefined
    ? fn()
    : context.with(new SpanInContext(context.active(), trace.wrapSpanContext(parent)), fn);
}

/** The active span for another process to continue, or undefined outside a span. */
export function currentTraceparent(): string | undefined {
  const active = spanOf(context.active())?.spanContext();
  return active === undefined ? undefined : toTraceparent(active);
}
