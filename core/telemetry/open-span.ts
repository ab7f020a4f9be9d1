import { performance } from 'node:perf_hooks';
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
} from '@opentelemetry/api';
import { activeContext, activeTracer, type ActiveTracer } from './active-tracer.ts';
import { redactText } from './redaction.ts';
import { SpanInContext, spanOf, unitOf } from './span-context.ts';
import { spanKindNames, type SpanKindName } from './span-record.ts';
import type { TraceUnit } from './tail-sampler.ts';
import { parseTraceparent, toParentContext } from './traceparent.ts';

export interface OpenSpanOptions {
  /** @default 'internal' */
  readonly kind?: SpanKind | SpanKindName;
  readonly attributes?: Attributes;
  /** The traceparent of a span elsewhere that this one continues; an invalid one begins a new trace. @default the active span */
  readonly parent?: string | undefined;
  /** Traceparents of spans that this one has to do with, such as devices': not trusted enough to be parents. */
  readonly links?: readonly string[];
}

/** A new span, and the context in which it is the active one. Whoever opens it ends it. */
export class OpenSpan extends SpanInContext {
  /** On the clock of `performance.now()`. */
  readonly startedAtMs: number;
  readonly #active: ActiveTracer | undefined;
  /** Of a span that is recorded: about others there is nothing to decide. */
  readonly #sampler: ActiveTracer['sampler'] | undefined;
  /** Whether the unit begins with it. */
  readonly #isRoot: boolean;

  constructor(name: string, options: OpenSpanOptions) {
    const startedAtMs = performance.now();
    const active = activeTracer();
    const parent = options.parent === undefined ? activeContext() : toParentContext(options.parent);
    const joined = begins(options.kind) ? undefined : unitAround(parent, active);
    const span = (active?.tracer ?? trace.getTracer('returnit')).startSpan(
      name,
      toSpanOptions(options, startedAtMs),
      parent,
    );
    super(parent, span, joined ?? active?.sampler.begin(name));
    this.startedAtMs = startedAtMs;
    this.#active = active;
    this.#sampler = span.isRecording() ? active?.sampler : undefined;
    this.#isRoot = joined === undefined;
  }

  /** Runs `fn` and what it starts in the span. */
  run<T>(fn: () => T): T {
    return this.#active === undefined ? context.with(this, fn) : this.#active.context.run(this, fn);
  }

  /** The same for `fn` that neither waits nor starts what does, which costs less. */
  runAtOnce<T>(fn: () => T): T {
    return this.#active === undefined ? this.run(fn) : this.#active.context.during(this, fn);
  }

  /** @param waitedMs - how long somebody waited for it, where that is not until its end */
  end(endedAtMs: number, waitedMs: number = endedAtMs - this.startedAtMs): void {
    const { span, unit } = this;
    if (this.#sampler === undefined || unit === undefined) return span.end(endedAtMs);
    if (this.#isRoot) this.#sampler.decide(unit, span, waitedMs);
    this.#sampler.end(unit, span, endedAtMs);
  }
}

function unitAround(parent: Context, active: ActiveTracer | undefined): TraceUnit | undefined {
  const unit = unitOf(parent);
  if (unit !== undefined) return unit;
  const span = spanOf(parent);
  return span === undefined ? undefined : active?.sampler.unitOf(span.spanContext().spanId);
}

function toSpanOptions({ kind, attributes, links }: OpenSpanOptions, startTime: number): SpanOptions {
  const options: SpanOptions = {
    kind: typeof kind === 'string' ? spanKindNames.indexOf(kind) : (kind ?? SpanKind.INTERNAL),
    startTime,
  };
  if (attributes !== undefined) options.attributes = attributes;
  if (links !== undefined) options.links = toLinks(links);
  return options;
}

/** A request, a job or a batch is a unit of its own, also where it continues a trace. */
function begins(kind: OpenSpanOptions['kind']): boolean {
  return kind === 'server' || kind === 'consumer' || kind === SpanKind.SERVER || kind === SpanKind.CONSUMER;
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
