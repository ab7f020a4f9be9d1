import { createContextKey, type Context, type Span } from '@opentelemetry/api';
import type { TraceUnit } from './tail-sampler.ts';

/** OpenTelemetry's own key: keys of one description are the same symbol everywhere. */
const spanKey = createContextKey('OpenTelemetry Context Key SPAN');
const unitKey = createContextKey('ReturnIt trace unit');

/**
 * A context of OpenTelemetry that adds a span to another one by pointing at it; the API's own copies a map of all that
 * is in it for every span. Everybody reads it as any other context.
 */
export class SpanInContext implements Context {
  readonly span: Span;
  /** What the span is a part of. */
  readonly unit: TraceUnit | undefined;
  readonly #parent: Context;

  constructor(parent: Context, span: Span, unit?: TraceUnit) {
    this.#parent = parent;
    this.span = span;
    this.unit = unit;
  }

  getValue(key: symbol): unknown {
    if (key === spanKey) return this.span;
    return key === unitKey ? this.unit : this.#parent.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return this.#copy().setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return key === spanKey ? this.#parent.deleteValue(key) : this.#copy().deleteValue(key);
  }

  #copy(): Context {
    return this.#parent.setValue(spanKey, this.span).setValue(unitKey, this.unit);
  }
}

/** The span of a context, as `trace.getSpan()` finds it. */
export function spanOf(context: Context): Span | undefined {
  return context.getValue(spanKey) as Span | undefined;
}

/** What the span of a context is a part of. */
export function unitOf(context: Context): TraceUnit | undefined {
  return context.getValue(unitKey) as TraceUnit | undefined;
}
