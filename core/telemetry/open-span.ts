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

/** A new span and the context in which it is the active one. Whoever opens it ends it. */
export class OpenSpan {
  readonly span: Span;
  /** On the clock of `performance.now()`. */
  readonly startedAtMs = performance.now();
  readonly #active: ActiveTracer | undefined = activeTracer();
  readonly #unit: TraceUnit | undefined;
  /** Whether the unit begins with it. */
  readonly #isRoot: boolean;
  readonly #context: Context;

  constructor(name: string, options: OpenSpanOptions) {
    const parent = options.parent === undefined ? activeContext() : toParentContext(options.parent);
    const joined = begins(options.kind) ? undefined : this.#unitAround(parent);
    this.#isRoot = joined === undefined;
    this.#unit = joined ?? this.#active?.sampler.begin(name);
    this.span = this.#start(name, options, parent);
    this.#context = new SpanInContext(parent, this.span, this.#unit);
  }

  /** Runs `fn` and what it starts in the span. */
  run<T>(fn: () => T): T {
    return this.#active === undefined ? context.with(this.#context, fn) : this.#active.context.run(this.#context, fn);
  }

  /** The same for `fn` that neither waits nor starts what does, which costs less. */
  runAtOnce<T>(fn: () => T): T {
    return this.#active === undefined ? this.run(fn) : this.#active.context.during(this.#context, fn);
  }

  /** @param ended `waitedMs`: how long somebody waited for it, where that is not until its end */
  end({ endedAtMs, waitedMs }: { readonly endedAtMs: number; readonly waitedMs?: number | undefined }): void {
    const unit = this.#unit;
    if (this.#active === undefined || unit === undefined) return this.span.end(endedAtMs);
    this.#active.sampler.end({
      span: this.span,
      unit,
      isRoot: this.#isRoot,
      waitedMs: waitedMs ?? endedAtMs - this.startedAtMs,
      endedAtMs,
    });
  }

  #unitAround(parent: Context): TraceUnit | undefined {
    const unit = unitOf(parent);
    if (unit !== undefined) return unit;
    const span = spanOf(parent);
    return span === undefined ? undefined : this.#active?.sampler.unitOf(span.spanContext().spanId);
  }

  #start(name: string, { kind, attributes, links }: OpenSpanOptions, parent: Context): Span {
    const tracer = this.#active?.tracer ?? trace.getTracer('returnit');
    const options: SpanOptions = {
      kind: typeof kind === 'string' ? spanKindNames.indexOf(kind) : (kind ?? SpanKind.INTERNAL),
      startTime: this.startedAtMs,
    };
    if (attributes !== undefined) options.attributes = attributes;
    if (links !== undefined) options.links = toLinks(links);
    return tracer.startSpan(name, options, parent);
  }
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
