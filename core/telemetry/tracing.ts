import {
  context,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { follow, type Failure } from './follow.ts';
import { createLocalTracer } from './local-tracer.ts';
import type { Logger } from './logger.ts';
import { redactText } from './redaction.ts';
import { SpanInContext, spanOf } from './span-context.ts';
import { spanKindNames, type SpanKindName, type SpanRecord } from './span-record.ts';
import { TraceContext } from './trace-context.ts';
import { parseTraceparent, toParentContext, toTraceparent } from './traceparent.ts';

export interface TracingOptions {
  /** OTLP/HTTP receiver (OTEL_EXPORTER_OTLP_ENDPOINT); null keeps the newest spans in memory. */
  readonly otlpEndpoint: string | null;
  /** Spans kept in memory when there is no receiver (TRACES_KEPT). */
  readonly tracesKept: number;
  readonly version: string;
  readonly environment: string;
  readonly region: string;
  /** Told when the receiver does not take spans. */
  readonly logger?: Logger;
}

export interface Tracing {
  /** True when spans go to a receiver; then none are kept here. */
  readonly exporting: boolean;
  /** The newest finished spans, oldest first; of one trace, by start. */
  recentSpans(traceId?: string): readonly SpanRecord[];
  /** The fate of the spans that ended since the start. */
  counts(): { readonly kept: number; readonly exported: number; readonly dropped: number };
  /** Sends what is queued for the receiver. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** OpenTelemetry's context and tracer are one per process, so several cores in one process (tests) share the first one's. */
let shared: { tracing: Promise<Tracing>; users: number } | undefined;
let activeTracer: Tracer | undefined;
let activeContext: TraceContext | undefined;

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
  if (options.otlpEndpoint === null) {
    const local = createLocalTracer({ spansMax: options.tracesKept });
    const uninstall = install(local.provider);
    return {
      exporting: false,
      recentSpans: (traceId) => local.recentSpans(traceId),
      counts: () => ({ kept: local.finished(), exported: 0, dropped: 0 }),
      flush: async () => undefined,
      stop: async () => uninstall(),
    };
  }
  // The SDK takes 100 ms to load: only those who use it pay.
  const { createOtlpTracer } = await import('./otlp.ts');
  const otlp = createOtlpTracer({ ...options, endpoint: options.otlpEndpoint });
  const uninstall = install(otlp.provider);
  return {
    exporting: true,
    recentSpans: () => [],
    counts: () => ({ kept: 0, ...otlp.counts }),
    flush: () => otlp.flush(),
    async stop() {
      uninstall();
      await otlp.stop();
    },
  };
}

function install(provider: TracerProvider): () => void {
  const manager = new TraceContext();
  manager.enable();
  context.setGlobalContextManager(manager);
  trace.setGlobalTracerProvider(provider);
  const tracer = provider.getTracer('returnit');
  activeTracer = tracer;
  activeContext = manager;
  return () => {
    if (activeTracer === tracer) activeTracer = undefined;
    if (activeContext === manager) activeContext = undefined;
    trace.disable();
    context.disable();
  };
}

export interface WithSpanOptions {
  /** @default 'internal' */
  readonly kind?: SpanKind | SpanKindName;
  readonly attributes?: Attributes;
  /** The traceparent of a span elsewhere that this one continues; an invalid one begins a new trace. @default the active span */
  readonly parent?: string | undefined;
  /** Traceparents of spans that this one has to do with, such as devices': not trusted enough to be parents. */
  readonly links?: readonly string[];
  /** `fn` neither waits nor starts what does: it is spared what it would cost to remember the span for later. */
  readonly immediate?: boolean;
  /** Told how `fn` ended and how long it took, while the span is active. */
  readonly measured?: (failure: Failure, seconds: number) => void;
}

/** Runs `fn` in a new span, ends it when `fn` is done and records what it throws. Without a promise when `fn` makes none. */
export function inSpan<T>(name: string, options: WithSpanOptions, fn: (span: Span) => Promise<T> | T): Promise<T> | T {
  const parent = options.parent === undefined ? context.active() : toParentContext(options.parent);
  const startedAtMs = performance.now();
  const span = startSpan(name, options, { parent, startedAtMs });
  const inner = new SpanInContext(parent, span);
  const ended = (failure: Failure): void => {
    if (failure !== null) recordError(span, failure.error);
    const endedAtMs = performance.now();
    options.measured?.(failure, (endedAtMs - startedAtMs) / 1000);
    span.end(endedAtMs);
  };
  const run = (): Promise<T> | T => follow(() => fn(span), ended);
  return options.immediate === true && activeContext !== undefined
    ? activeContext.during(inner, run)
    : context.with(inner, run);
}

/** As `inSpan()`, always with a promise. */
export async function withSpan<T>(
  name: string,
  options: WithSpanOptions,
  fn: (span: Span) => Promise<T> | T,
): Promise<T> {
  return inSpan(name, options, fn);
}

function startSpan(
  name: string,
  { kind, attributes, links }: WithSpanOptions,
  { parent, startedAtMs }: { readonly parent: Context; readonly startedAtMs: number },
): Span {
  const tracer = activeTracer ?? trace.getTracer('returnit');
  const options: SpanOptions = {
    kind: typeof kind === 'string' ? spanKindNames.indexOf(kind) : (kind ?? SpanKind.INTERNAL),
    startTime: startedAtMs,
  };
  if (attributes !== undefined) options.attributes = attributes;
  if (links !== undefined) options.links = toLinks(links);
  return tracer.startSpan(name, options, parent);
}

function toLinks(traceparents: readonly string[]): Link[] {
  return traceparents
    .map(parseTraceparent)
    .filter((linked) => linked !== undefined)
    .map((linked) => ({ context: linked }));
}

/** Marks a span as failed: `error.type` is the code, or the name of the error. */
export function recordError(span: Span, error: unknown): void {
  const { name, message, code, stack } = (error instanceof Error ? error : new Error(String(error))) as Error & {
    code?: unknown;
  };
  const text = redactText(message);
  span.setAttribute('error.type', typeof code === 'string' ? code : name);
  span.setStatus({ code: SpanStatusCode.ERROR, message: text });
  span.recordException({ name, message: text, ...(stack === undefined ? {} : { stack: redactText(stack) }) });
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
