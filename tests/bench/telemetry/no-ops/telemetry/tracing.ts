import { INVALID_SPAN_CONTEXT, trace, type Span } from '@opentelemetry/api';
import type { Tracing, WithSpanOptions } from '#core/telemetry/tracing.ts';

const span = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
const atOnce = (): Promise<void> => Promise.resolve();

/** Installs no tracer. */
export function startTracing(): Promise<Tracing> {
  return Promise.resolve({
    exporting: false,
    recentSpans: () => [],
    counts: () => [],
    flush: atOnce,
    stop: atOnce,
  });
}

/** Runs `fn` and nothing around it: whoever wants to be told how it ended records that, and is not. */
export function inSpan<T>(
  _name: string,
  _options: WithSpanOptions,
  fn: (span: Span) => Promise<T> | T,
): Promise<T> | T {
  return fn(span);
}

export async function withSpan<T>(
  _name: string,
  _options: WithSpanOptions,
  fn: (span: Span) => Promise<T> | T,
): Promise<T> {
  return fn(span);
}

export function withTraceparent<T>(_traceparent: string | undefined, fn: () => T): T {
  return fn();
}

export function currentTraceparent(): undefined {
  return undefined;
}
