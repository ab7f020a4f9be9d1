import { ROOT_CONTEXT, trace, TraceFlags, type Context, type SpanContext } from '@opentelemetry/api';
import { SpanInContext } from './span-context.ts';

/** W3C Trace Context: version 00 ends after the flags, a later one may go on; ids of zeros and version ff are invalid. */
const pattern = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;
const lengthMax = 256;

/** A handler's calls come one after the other and continue the same span: the newest text is not read again. */
let newest: { readonly text: string; readonly span: SpanContext } | undefined;

/**
 * A span of another process, or undefined when the text is not a traceparent.
 * Its sampled flag is ignored: who sends it must not decide what we record.
 */
export function parseTraceparent(text: string): SpanContext | undefined {
  if (text.length > lengthMax) return undefined;
  if (text === newest?.text) return newest.span;
  const [, version, traceId, spanId, rest] = pattern.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || (version === '00' && rest !== undefined)) return undefined;
  const span = Object.freeze({ traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
  newest = { text, span };
  return span;
}

export function toTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED) === 0 ? '00' : '01'}`;
}

/** The context in which that span is the parent; without a valid one, that of a new trace. */
export function toParentContext(traceparent: string): Context {
  const parent = parseTraceparent(traceparent);
  return parent === undefined ? ROOT_CONTEXT : new SpanInContext(ROOT_CONTEXT, trace.wrapSpanContext(parent));
}
