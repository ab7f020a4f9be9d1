import type { Span, SpanContext } from '@opentelemetry/api';

export interface SamplingOptions {
  /** Of all traces, by their ids (TRACES_SAMPLE_RATIO). @default 1 */
  readonly ratio?: number;
  /** What takes longer is kept (TRACES_SLOW_MS). @default 1000 */
  readonly slowMs?: number;
  /** Spans that wait for the end of their request (TRACES_HELD_MAX). @default 10000 */
  readonly heldMax?: number;
}

/** Why spans were kept: `sampled` by the ratio, the others although it left them out. */
export type KeptReason = 'sampled' | TailReason;
/** `followed`: an earlier request or job of the trace, on this node, had failed or was slow. */
export type TailReason = 'failed' | 'slow' | 'followed';

/** Where kept spans go. */
export interface SpanSink<S> {
  sampled(span: S): void;
  /** Of a unit that is kept for how it went; `isSampled`: it was given to `sampled()` as well. */
  tail(span: S, isSampled: boolean): void;
  /** Whether sampled spans are to be held for `tail()`, too. */
  readonly wantsAllOfTail: boolean;
  isFailed(span: S): boolean;
}

/** The work of one request, job or batch in this process: what is known at its end decides about all of its spans. */
export interface TraceUnit {
  readonly name: string;
  /** What is kept, or dropped, at its end. Most units have one span, their first, and hold nothing. */
  held: unknown[] | undefined;
  hasFailed: boolean;
  /** Undefined until its end; null when nothing speaks for it. */
  verdict: TailReason | null | undefined;
  /** The traces that it carries on beside its own, if any. */
  otherTraceIds: Set<string> | undefined;
}

const unitSpansMax = 1000;
const followedMax = 1000;
/** Spans that others were told of, and whose children come with a traceparent alone. */
const handedOutMax = 4096;

/**
 * Keeps a share of all traces and, of the rest, every request, job or batch that failed or was slow. Its spans are held
 * until it is over; a span ends within `end()`, so nobody looks up to which unit it belongs. What other processes did for the
 * same trace is decided there.
 */
export class TailSampler<S extends { spanContext(): SpanContext }> {
  readonly kept: Record<KeptReason, number> = { sampled: 0, failed: 0, slow: 0, followed: 0 };
  readonly dropped = { unsampled: 0, buffer_full: 0 };
  readonly #sink: SpanSink<S>;
  readonly #ratio: number;
  readonly #slowMs: number;
  readonly #heldMax: number;
  readonly #handedOut = new Map<string, TraceUnit>();
  readonly #followed = new Set<string>();
  #held = 0;
  #ending: TraceUnit | undefined;

  constructor(sink: SpanSink<S>, { ratio = 1, slowMs = 1000, heldMax = 10_000 }: SamplingOptions = {}) {
    this.#sink = sink;
    this.#ratio = ratio;
    this.#slowMs = slowMs;
    this.#heldMax = heldMax;
  }

  begin(name: string): TraceUnit {
    return { name, held: undefined, hasFailed: false, verdict: undefined, otherTraceIds: undefined };
  }

  /** Remembers for spans that will name this one as their parent. */
  handOut(spanId: string, unit: TraceUnit): void {
    if (this.#handedOut.size >= handedOutMax) {
      const { value = '' } = this.#handedOut.keys().next();
      this.#handedOut.delete(value);
    }
    this.#handedOut.set(spanId, unit);
  }

  unitOf(spanId: string): TraceUnit | undefined {
    return this.#handedOut.get(spanId);
  }

  /** Ends a span of a unit. Before its first one ends, the unit is to be decided about. */
  end(unit: TraceUnit, span: Span, endedAtMs: number): void {
    const outer = this.#ending;
    this.#ending = unit;
    try {
      span.end(endedAtMs);
    } finally {
      this.#ending = outer;
    }
  }

  /** The unit is over: what it held is kept or dropped. @param waitedMs - how long somebody waited for its first span */
  decide(unit: TraceUnit, root: Span, waitedMs: number): void {
    const verdict = this.#judge(unit, root, waitedMs);
    unit.verdict = verdict;
    if (verdict !== null) {
      root.setAttribute('returnit.kept', verdict);
      this.#follow(root.spanContext().traceId);
      for (const traceId of unit.otherTraceIds ?? []) this.#follow(traceId);
    }
    if (unit.held === undefined) return;
    const held = unit.held as S[];
    unit.held = undefined;
    this.#held -= held.length;
    for (const span of held) this.#settle(span, this.#isSampled(span), verdict);
  }

  /** To be told of every span that has ended. */
  ended(span: S): void {
    const unit = this.#ending;
    const isSampled = this.#isSampled(span);
    if (isSampled) {
      this.kept.sampled += 1;
      this.#sink.sampled(span);
    }
    if (unit?.verdict === undefined && unit !== undefined) this.#hold(unit, span, isSampled);
    else this.#settle(span, isSampled, unit?.verdict ?? null);
  }

  #hold(unit: TraceUnit, span: S, isSampled: boolean): void {
    if (this.#sink.isFailed(span)) unit.hasFailed = true;
    if (isSampled && !this.#sink.wantsAllOfTail) return;
    const held = (unit.held ??= []);
    if (held.length < unitSpansMax && this.#held < this.#heldMax) {
      held.push(span);
      this.#held += 1;
    } else if (!isSampled) this.dropped.buffer_full += 1;
  }

  #settle(span: S, isSampled: boolean, verdict: TailReason | null): void {
    if (verdict !== null) {
      if (!isSampled) this.kept[verdict] += 1;
      this.#sink.tail(span, isSampled);
    } else if (!isSampled) this.dropped.unsampled += 1;
  }

  #judge(unit: TraceUnit, root: Span, waitedMs: number): TailReason | null {
    // A tracer's spans are what its sink takes; a span that records nothing has no status and has not failed.
    if (unit.hasFailed || this.#sink.isFailed(root as unknown as S)) return 'failed';
    if (waitedMs > this.#slowMs) return 'slow';
    // Mostly none is, and a new text must be hashed to be looked for.
    if (this.#followed.size === 0) return null;
    if (this.#followed.has(root.spanContext().traceId)) return 'followed';
    for (const traceId of unit.otherTraceIds ?? []) if (this.#followed.has(traceId)) return 'followed';
    return null;
  }

  #follow(traceId: string): void {
    if (this.#followed.has(traceId)) return;
    if (this.#followed.size >= followedMax) {
      const { value = '' } = this.#followed.values().next();
      this.#followed.delete(value);
    }
    this.#followed.add(traceId);
  }

  /** By the random part of the id as W3C Trace Context, level 2, has it: every node decides the same, today and next week. */
  #isSampled(span: S): boolean {
    if (this.#ratio >= 1) return true;
    return Number.parseInt(span.spanContext().traceId.slice(18, 31), 16) / 2 ** 52 >= 1 - this.#ratio;
  }
}
