import { createContextKey, type Context, type Span } from '@opentelemetry/api';

/** OpenTelemetry's own key: keys of one description are the same symbol everywhere. */
const spanKey = createContextKey('OpenTelemetry Context Key SPAN');

/**
 * A context of OpenTelemetry that adds a span to another one by pointing at it; the API's own copies a map of all that
 * is in it for every span. Everybody reads it as any other context.
 */
export class SpanInContext implements Context {
  readonly #parent: Context;
  readonly #span: Span;

  constructor(parent: Context, span: Span) {
    this.#parent = parent;
    this.#span = span;
  }

  getValue(key: symbol): unknown {
    return key === spanKey ? this.#span : this.#parent.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return this.#copy().setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return key === spanKey ? this.#parent.deleteValue(key) : this.#copy().deleteValue(key);
  }

  #copy(): Context {
    return this.#parent.setValue(spanKey, this.#span);
  }
}

/** The span of a context, as `trace.getSpan()` finds it. */
export function spanOf(context: Context): Span | undefined {
  return context.getValue(spanKey) as Span | undefined;
}
