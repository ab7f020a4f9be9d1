import { performance } from 'node:perf_hooks';
import { context, SpanKind, type Context, type Span } from '@opentelemetry/api';
import { activeTracer } from './active-tracer.ts';
import type { Failure } from './follow.ts';
import { spanOf, unitOf } from './span-context.ts';
import { parseTraceparent, toParentContext, toTraceparent } from './traceparent.ts';
import { recordError } from './open-span.ts';

/** Other traces than its own that one handler may carry on. */
const continuedMax = 100;

interface Continued {
  readonly span: Span;
  readonly traceparent: string;
}

/**
 * The trace of one handler of a plugin, and those that it carries on: of an order whose next step it takes, say. What is
 * done for such a trace hangs under a span in it, which has the name of the request or job and a link to its span; that
 * one has a link back. Nothing is made until the first call.
 */
export class HandlerTrace {
  readonly traceparent: string;
  readonly #origin: Span;
  readonly #context: Context;
  #continued: Map<string, Continued> | undefined;

  constructor(origin: Span, active: Context) {
    this.#origin = origin;
    this.#context = active;
    this.traceparent = toTraceparent(origin.spanContext());
  }

  /** @returns the parent of what is done for that trace: the handler itself when it is its own, or no trace at all */
  continue(traceparent: string): string {
    const known = this.#continued?.get(traceparent);
    if (known !== undefined) return known.traceparent;
    const active = activeTracer();
    const unit = unitOf(this.#context);
    const origin = this.#origin.spanContext();
    const { traceId = origin.traceId } = parseTraceparent(traceparent) ?? {};
    if (active === undefined || unit === undefined || traceId === origin.traceId) return this.traceparent;
    this.#continued ??= new Map();
    if (this.#continued.size >= continuedMax) return this.traceparent;
    const span = active.tracer.startSpan(
      unit.name,
      { kind: SpanKind.INTERNAL, links: [{ context: origin }], startTime: performance.now() },
      toParentContext(traceparent),
    );
    this.#origin.addLink({ context: span.spanContext() });
    (unit.otherTraceIds ??= new Set()).add(traceId);
    active.sampler.handOut(span.spanContext().spanId, unit);
    const continued = { span, traceparent: toTraceparent(span.spanContext()) };
    this.#continued.set(traceparent, continued);
    return continued.traceparent;
  }

  /** The handler has answered, or will not. */
  end(failure: Failure): void {
    if (this.#continued === undefined) return;
    const endedAtMs = performance.now();
    const unit = unitOf(this.#context);
    for (const { span } of this.#continued.values()) {
      if (failure !== null) recordError(span, failure.error);
      const sampler = activeTracer()?.sampler;
      if (unit === undefined || sampler === undefined) span.end(endedAtMs);
      else sampler.end(unit, span, endedAtMs);
    }
  }
}

/** Of the active span, which is about to ask a handler; undefined outside of one. */
export function handlerTrace(): HandlerTrace | undefined {
  const active = context.active();
  const span = spanOf(active);
  if (span === undefined) return undefined;
  const unit = unitOf(active);
  // The calls of the handler come with a traceparent alone.
  if (unit !== undefined) activeTracer()?.sampler.handOut(span.spanContext().spanId, unit);
  return new HandlerTrace(span, active);
}
